// The mistakes that the emulated card (tests/cuda_emulation/) must find: each kernel below is right but for one, made
// or not by a parameter of its template; and what a card refuses. Compiled with the emulation's headers.
#include <cuda_runtime.h>
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda/launch.cuh"
#include "cuda/ptx.cuh"
#include "error_of.h"
#include "on_card.h"
#include "tensor/address_sanitizer.h"

using namespace acol;
using namespace acol::cuda;
using namespace acol::testing;

namespace {

constexpr unsigned all_lanes = 0xffffffffU;

// True if some order gives something else than `expected`. NaN is something else.
bool some_differ(const std::vector<std::vector<float>>& results, const std::vector<float>& expected) {
  for (const auto& result : results)
    if (result != expected) return true;
  return false;
}

// y[i] = the numbers of x backwards, one step at a time: write, barrier, read, barrier, write.
template <bool after_writing, bool before_overwriting>
__global__ void reverse_twice(const float* x, float* y) {
  Sums& sums = shared<Sums>();
  const unsigned i = threadIdx.x, opposite = blockDim.x - 1 - i;
  sums.at[i] = x[i];
  if (after_writing) __syncthreads();
  const float reversed = sums.at[opposite];
  if (before_overwriting) __syncthreads();
  sums.at[i] = reversed;
  __syncthreads();
  y[i] = sums.at[opposite];
}

// Right in forward order even without its barrier.
template <bool barrier>
__global__ void copy_from_before(const float* x, float* y) {
  Sums& sums = shared<Sums>();
  sums.at[threadIdx.x] = x[threadIdx.x];
  if (barrier) __syncthreads();
  y[threadIdx.x] = sums.at[threadIdx.x == 0 ? 0 : threadIdx.x - 1];
}

template <bool barrier>
__global__ void reverse_in_warp(const float* x, float* y) {
  Sums& sums = shared<Sums>();
  sums.at[threadIdx.x] = x[threadIdx.x];
  if (barrier) __syncwarp();
  y[threadIdx.x] = sums.at[31 - threadIdx.x];
}

__global__ void return_before_barrier(unsigned threads) {
  if (threadIdx.x >= threads) return;
  __syncthreads();
}
__global__ void two_barriers() {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads_or(0);
}
__global__ void barrier_against_shuffle(float* x) {
  if (threadIdx.x == 3) __syncthreads();
  x[threadIdx.x] = __shfl_sync(all_lanes, 1.0F, 0);
  __syncthreads();
}
__global__ void shuffle_of_some(float* x, unsigned lanes, unsigned mask, int from) {
  if (threadIdx.x < lanes) x[threadIdx.x] = __shfl_sync(mask, 1.0F, from);
}

// Copies x through shared memory in four steps, two of them in flight, and waits for all but `Pending`.
template <int Pending, bool barrier>
__global__ void copy_in_steps(const float* x, float* y) {
  struct Stages {
    alignas(16) float at[2][128];
  };
  Stages& stages = shared<Stages>();
  const unsigned thread = threadIdx.x;
  const auto begin = [&](unsigned step) {
    if (step < 4) copy_async_16(&stages.at[step % 2][4 * thread], x + 128 * step + 4 * thread, true);
    commit_copies();
  };
  begin(0);
  begin(1);
  for (unsigned step = 0; step < 4; ++step) {
    wait_for_copies<Pending>();
    __syncthreads();
    for (unsigned i = thread; i < 128; i += 32) y[128 * step + i] = stages.at[step % 2][127 - i];
    if (barrier) __syncthreads();
    begin(step + 2);
  }
}

__global__ void copy_or_clear(const float* x, float* y, bool wait) {
  Sums& sums = shared<Sums>();
  const unsigned first = 4 * threadIdx.x;
  copy_async_16(&sums.at[first], x + first, threadIdx.x % 2 == 0);
  commit_copies();
  if (wait) wait_for_copies<0>();
  for (unsigned i = first; i < first + 4; ++i) y[i] = sums.at[i];
}

__global__ void read_shared(float* y) {
  y[threadIdx.x] = shared<Sums>().at[threadIdx.x] + dynamic_shared<Sums>().at[0];
}
__global__ void misaligned_copy(const float* x) { copy_async_16(&shared<Sums>().at[1], x, true); }
__global__ void much_shared(float* y) {
  struct Much {
    float at[16][1024];
  };
  y[0] = shared<Much>().at[0][0];
}
__global__ void multiply(float* y) {
  const unsigned a[4] = {}, b[2] = {};
  float sums[4] = {};
  multiply_add_tf32(sums, a, b);
  y[threadIdx.x] = sums[0];
}
__global__ void throws(int block) {
  if (static_cast<int>(blockIdx.x) == block && threadIdx.x == 5) throw std::runtime_error("from a kernel");
}
__global__ void nothing() {}
struct Holder {
  int number;
  const float* data;
};
__global__ void take_holder(Holder) {}
__global__ void take_pointer(const float*) {}

template <class... Parameters, class... Arguments>
std::string launch_error(void (*kernel)(Parameters...), const Grid& grid, Arguments... arguments) {
  return error_of([&] { launch("tried", kernel, grid, arguments...); });
}

// A message must have this part.
void check_says(const std::string& message, const std::string& part) {
  CHECK_MESSAGE(message.find(part) != std::string::npos, message, " should say: ", part);
}

// The signal that ends a process which does `action`; 0 if none does.
template <class Action>
int signal_of(const Action& action) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    action();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

TEST_CASE("a barrier left out gives wrong results") {
  const std::vector<float> x = numbers(64), warp = numbers(32);
  std::vector<float> before = x, backwards(warp.rbegin(), warp.rend());
  for (std::size_t i = 1; i < before.size(); ++i) before[i] = static_cast<float>(i - 1);
  CHECK_FALSE(some_differ(in_each_order(reverse_twice<true, true>, x), x));
  for (const auto& kernel : {reverse_twice<false, true>, reverse_twice<true, false>})
    for (const auto& result : in_each_order(kernel, x)) CHECK(result != x);
  CHECK_FALSE(some_differ(in_each_order(copy_from_before<true>, x), before));
  CHECK(in_each_order(copy_from_before<false>, x)[0] == before);
  CHECK(in_each_order(copy_from_before<false>, x)[1] != before);
  // By default one of two runs is the other way round.
  CHECK((in_each_order(copy_from_before<false>, x)[4] != before ||
         in_each_order(copy_from_before<false>, x)[5] != before));
  CHECK_FALSE(some_differ(in_each_order(reverse_in_warp<true>, warp), backwards));
  for (const auto& result : in_each_order(reverse_in_warp<false>, warp)) CHECK(result != backwards);
}

TEST_CASE("threads that part at a barrier or a shuffle are an Error") {
  const OnCard<float> x(numbers(64));
  const Grid grid{dim3(2), dim3(64)};
  std::string error = launch_error(return_before_barrier, grid, 60U);
  check_says(error, "__syncthreads at test_cuda_mistakes.cpp:");
  check_says(error, "thread (63, 0, 0) ended without it; kernel tried, block (");
  error = launch_error(two_barriers, grid);
  check_says(error, "thread (32, 0, 0) waits in __syncthreads_or at ");
  error = launch_error(barrier_against_shuffle, grid, x.data());
  check_says(error, "__shfl_sync at ");
  check_says(error, "lane 3 of the mask waits in __syncthreads at ");

  const auto some = [&](unsigned threads, unsigned lanes, unsigned mask, int from) {
    return launch_error(shuffle_of_some, {dim3(1), dim3(threads)}, x.data(), lanes, mask, from);
  };
  CHECK(some(64, 32, all_lanes, 0).empty());
  CHECK(some(64, 20, 0xfffffU, 19).empty());
  check_says(some(64, 31, all_lanes, 0), "lane 31 of the mask has ended");
  check_says(some(40, 40, all_lanes, 0), "lane 8 of the mask does not exist");
  check_says(some(32, 32, 0xffffU, 0), "the mask 65535 leaves out the lane itself");
  check_says(some(32, 16, 0xffffU, 16), "reads lane 16, which the mask leaves out");
}

TEST_CASE("an asynchronous copy is there after the wait, and may come at any moment before") {
  const std::vector<float> x = numbers(512);
  std::vector<float> expected(512);
  for (std::size_t i = 0; i < 512; ++i) expected[i] = static_cast<float>(i / 128 * 128 + 127 - i % 128);
  const auto run = [&](auto kernel) {
    const OnCard<float> input(x), output(x);
    launch("copy_in_steps", kernel, {dim3(1), dim3(32)}, input.data(), output.data());
    return output.read();
  };
  CHECK(run(copy_in_steps<0, true>) == expected);
  CHECK(run(copy_in_steps<1, true>) == expected);
  CHECK(std::isnan(run(copy_in_steps<2, true>)[0]));                            // waits for one group too few
  for (int i = 0; i < 2; ++i) CHECK(run(copy_in_steps<1, false>) != expected);  // overwrites what others still read

  const OnCard<float> input(x), output(x);
  launch("copy_or_clear", copy_or_clear, {dim3(1), dim3(8)}, input.data(), output.data(), true);
  for (std::size_t i = 0; i < 32; ++i) CHECK(output.read()[i] == (i / 4 % 2 == 0 ? x[i] : 0));
  launch("copy_or_clear", copy_or_clear, {dim3(1), dim3(8)}, input.data(), output.data(), false);
  for (std::size_t i = 0; i < 32; ++i) CHECK(std::isnan(output.read()[i]));
  check_says(launch_error(misaligned_copy, {dim3(1), dim3(1)}, input.data()),
             "copy_async: 16 bytes that are not aligned to 16; kernel tried, block (0, 0, 0), thread (0, 0, 0)");
}

TEST_CASE("memory starts as NaN") {
  float* fresh = nullptr;
  REQUIRE(cudaMalloc(&fresh, 400) == cudaSuccess);
  const OnCard<float> y(numbers(64));
  for (int i = 0; i < 2; ++i) {
    launch("read_shared", read_shared, {dim3(1), dim3(64), sizeof(Sums)}, y.data());
    for (const float value : y.read()) CHECK(std::isnan(value));
    std::vector<float> values(100);
    REQUIRE(cudaMemcpy(values.data(), fresh, 400, cudaMemcpyDeviceToHost) == cudaSuccess);
    for (const float value : values) CHECK(std::isnan(value));
  }
  CHECK(cudaFree(fresh) == cudaSuccess);
}

TEST_CASE("launches that a card refuses, and Errors of kernels") {
  check_says(launch_error(nothing, {dim3(1), dim3(1025)}), "tried: a block of 1025 x 1 x 1 threads");
  check_says(launch_error(nothing, {dim3(1), dim3(0)}), "tried: a block of 0 x 1 x 1 threads");
  check_says(launch_error(nothing, {dim3(1, 65536), dim3(1)}), "tried: a grid of 1 x 65536 x 1 blocks");
  CHECK(launch_error(nothing, {dim3(1), dim3(1024), 227 << 10}).empty());
  check_says(launch_error(nothing, {dim3(1), dim3(1), (227 << 10) + 1}), "bytes of shared memory");
  const OnCard<float> x(numbers(64));
  check_says(launch_error(much_shared, {dim3(1), dim3(1)}, x.data()), "at most 49152");
  check_says(launch_error(read_shared, {dim3(1), dim3(1), 100}, x.data()),
             "dynamic_shared: 4096 bytes, but the launch gives 100");
  {
    const Environment old("ACOL_EMULATED_CAPABILITY", "75");
    check_says(launch_error(nothing, {dim3(1), dim3(1), 65 << 10}), "at most 65536");
    check_says(launch_error(multiply, {dim3(1), dim3(32)}, x.data()), "needs compute capability 8.0, the card has 7.5");
  }
  CHECK_THROWS_WITH_AS(launch("throws", throws, {dim3(3), dim3(64)}, 1), "from a kernel", std::runtime_error);
  launch("throws", throws, {dim3(3), dim3(64)}, 4);  // and works on
}

TEST_CASE("host and device memory are apart") {
  float* device = nullptr;
  float* managed = nullptr;
  REQUIRE(cudaMalloc(&device, 4096) == cudaSuccess);
  REQUIRE(cudaMallocManaged(&managed, 4096) == cudaSuccess);
  float host[4] = {1, 2, 3, 4};
  CHECK(signal_of([&] { device[0] = 1; }) == SIGSEGV);
  CHECK(signal_of([&] { host[0] = device[1]; }) == SIGSEGV);
  CHECK(signal_of([&] { managed[0] = host[0]; }) == 0);

  const std::string refused = "argument 1 of the kernel is or holds a pointer that is not to device memory";
  check_says(launch_error(take_pointer, {dim3(1), dim3(1)}, host), "tried: " + refused);
#if !defined(ACOL_ADDRESS_SANITIZER) && !defined(__SANITIZE_THREAD__)
  if (emulation::can_clear_padding) check_says(launch_error(take_holder, {dim3(1), dim3(1)}, Holder{1, host}), refused);
#endif
  launch("points", take_pointer, {dim3(1), dim3(1)}, managed + 1);
  launch("points", take_pointer, {dim3(1), dim3(1)}, nullptr);
  launch("holds", take_holder, {dim3(1), dim3(1)}, Holder{1, device + 1});

  CHECK(cudaMemcpy(device, host, 16, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(host, device, 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(device + 1021, host, 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemset(device, 0, 4097) == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(cudaFree(device + 1) == cudaErrorInvalidValue);
  CHECK(cudaFree(device) == cudaSuccess);
  check_says(launch_error(take_pointer, {dim3(1), dim3(1)}, device), refused);
  CHECK(cudaFree(device) == cudaErrorInvalidValue);
  CHECK(cudaFree(managed) == cudaSuccess);
}

TEST_CASE("the environment orders memory, device and driver") {
  const Environment megabytes("ACOL_EMULATED_MB", "3");
  std::size_t free = 0, total = 0;
  void *first = nullptr, *second = nullptr, *third = nullptr;
  REQUIRE(cudaMalloc(&first, 1 << 20) == cudaSuccess);
  REQUIRE(cudaMalloc(&second, 1 << 20) == cudaSuccess);
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
  CHECK(free == 1 << 20);
  CHECK(total == 3 << 20);
  CHECK(cudaMalloc(&third, (1 << 20) + 1) == cudaErrorMemoryAllocation);
  CHECK(third == nullptr);
  CHECK(cudaFree(first) == cudaSuccess);
  CHECK(cudaMalloc(&third, (1 << 20) + 1) == cudaSuccess);
  CHECK(cudaFree(second) == cudaSuccess);
  CHECK(cudaFree(third) == cudaSuccess);

  int count = 1;
  {
    const Environment none("ACOL_EMULATED_DEVICES", "0");
    CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice);
    CHECK(count == 0);
    CHECK(cudaMalloc(&first, 1) == cudaErrorNoDevice);
    check_says(launch_error(nothing, {dim3(1), dim3(1)}), cudaGetErrorString(cudaErrorNoDevice));
  }
  {
    const Environment old("ACOL_EMULATED_DRIVER", "old");
    CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
    int driver = 0, runtime = 0;
    CHECK(cudaDriverGetVersion(&driver) == cudaSuccess);
    CHECK(cudaRuntimeGetVersion(&runtime) == cudaSuccess);
    CHECK(driver < runtime);
  }
  CHECK(cudaGetDeviceCount(&count) == cudaSuccess);
  CHECK(count == 1);
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
}
