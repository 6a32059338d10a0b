// Changing stacks: on x86-64 by hand, in a few nanoseconds; elsewhere by ucontext, in some hundred. The address
// sanitizer must be told of every change; without it, what carries its name does nothing.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

#include "tensor/address_sanitizer.h"

#ifdef ACOL_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__) || defined(ACOL_EMULATION_UCONTEXT)
#include <ucontext.h>
#define ACOL_UCONTEXT
#else
// Puts the registers that a function must keep onto the stack and the stack's pointer into *left; the same backwards
// from the stack `entered`.
extern "C" void acol_emulation_change_stack(void** left, void* entered);
asm(R"(
.text
.type acol_emulation_change_stack, @function
acol_emulation_change_stack:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  pop %rcx
  jmp *%rcx
.size acol_emulation_change_stack, . - acol_emulation_change_stack
)");
#endif

namespace acol::cuda::emulation {

namespace {
constexpr std::size_t stack_bytes = std::size_t{256} << 10;  // takes memory only where it is touched
}

struct Fiber::Context {
  std::byte* stack = nullptr;
  std::size_t usable_bytes = 0;
  void (*function)(void*) = nullptr;
  void* argument = nullptr;
  bool paused = false;

  static inline Context* starting = nullptr;  // the first function on a stack has no other way to get an argument
  static void first_function() {
    Context& self = *starting;
    self.arrived_inside();
    self.function(self.argument);
    self.leave_inside(true);
    std::abort();  // nobody resumes it
  }

#ifdef ACOL_UCONTEXT
  ucontext_t inside, outside;
  void prepare() {
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = usable_bytes;
    inside.uc_link = nullptr;
    makecontext(&inside, first_function, 0);
  }
  void enter() { swapcontext(&outside, &inside); }
  void leave() { swapcontext(&inside, &outside); }
#else
  void *inside = nullptr, *outside = nullptr;  // stack pointers
  // As if first_function() had been left before its first line: six registers, its address, and no caller.
  void prepare() {
    void** const top = reinterpret_cast<void**>(stack + usable_bytes) - 8;
    for (int i = 0; i < 8; ++i) top[i] = nullptr;
    top[6] = reinterpret_cast<void*>(first_function);
    inside = top;
  }
  void enter() { acol_emulation_change_stack(&outside, inside); }
  void leave() { acol_emulation_change_stack(&inside, outside); }
#endif

#ifdef ACOL_ADDRESS_SANITIZER
  void *inside_frames = nullptr, *outside_frames = nullptr;  // what the sanitizer keeps for a stack
  const void* outside_stack = nullptr;
  std::size_t outside_bytes = 0;
  void forget() {
    if (paused) ASAN_UNPOISON_MEMORY_REGION(stack, stack_bytes);
    inside_frames = nullptr;
  }
  void enter_from_outside() {
    __sanitizer_start_switch_fiber(&outside_frames, stack, usable_bytes);
    enter();
    __sanitizer_finish_switch_fiber(outside_frames, nullptr, nullptr);
  }
  void arrived_inside() { __sanitizer_finish_switch_fiber(inside_frames, &outside_stack, &outside_bytes); }
  void leave_inside(bool at_end) {
    __sanitizer_start_switch_fiber(at_end ? nullptr : &inside_frames, outside_stack, outside_bytes);
    leave();
  }
#else
  void forget() {}
  void enter_from_outside() { enter(); }
  void arrived_inside() {}
  void leave_inside(bool) { leave(); }
#endif
};

Fiber::Fiber(std::size_t number) : context_(std::make_unique<Context>()) {
  void* const memory =
      mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  context_->stack = static_cast<std::byte*>(memory);
  context_->usable_bytes = stack_bytes - number % 1024 * 128;
}

Fiber::~Fiber() { munmap(context_->stack, stack_bytes); }

void Fiber::start(void (*function)(void*), void* argument) {
  context_->forget();
  context_->function = function;
  context_->argument = argument;
  context_->paused = false;
  context_->prepare();
}

void Fiber::resume() {
  Context::starting = context_.get();
  context_->enter_from_outside();
}

void Fiber::pause() {
  context_->paused = true;
  context_->leave_inside(false);
  context_->paused = false;
  context_->arrived_inside();
}

}  // namespace acol::cuda::emulation
