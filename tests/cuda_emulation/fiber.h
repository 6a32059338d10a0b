// A fiber: a function that runs on a stack of its own, and can be left and entered again in the middle.
#pragma once

#include <cstddef>
#include <memory>

namespace acol::cuda::emulation {

class Fiber {
 public:
  // Stacks of neighbouring numbers lie in different lines of the cache.
  explicit Fiber(std::size_t number);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // The next resume() calls function(argument), which must not throw. A function that is still paused is forgotten.
  void start(void (*function)(void*), void* argument);
  // From outside: runs the function until its next pause(), or its end.
  void resume();
  // From inside: back to who resumed it.
  void pause();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace acol::cuda::emulation
