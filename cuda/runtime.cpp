#include "cuda/runtime.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "cuda/device_arena.h"
#include "cuda/kernels.h"
#include "cuda/pictures.h"
#include "tensor/check.h"

namespace acol::cuda {

namespace {

// The first card that the system shows (CUDA_VISIBLE_DEVICES chooses), opened at the first use.
struct Card {
  cudaStream_t stream = nullptr;
  Card() {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    check(status != cudaErrorInsufficientDriver,
          "--device cuda: the NVIDIA driver is missing or older than this program's CUDA ", version(runtime_version()),
          "; install a newer driver, or use --device cpu");
    check(status != cudaErrorNoDevice && (status != cudaSuccess || count > 0),
          "--device cuda: this machine has no CUDA device; use --device cpu");
    check_cuda(status, "looking for a device");
    check_cuda(cudaSetDevice(0), "opening the device");
    cudaDeviceProp properties;
    check_cuda(cudaGetDeviceProperties(&properties, 0), "reading the device's properties");
    check(properties.major * 10 + properties.minor >= 75, "--device cuda: ", properties.name,
          " has compute capability ", properties.major, ".", properties.minor,
          ", at least 7.5 is needed; use --device cpu");
    check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  }

  static int runtime_version() {
    int version = 0;
    cudaRuntimeGetVersion(&version);
    return version;
  }
  // 13000 -> "13.0"
  static std::string version(int number) { return message(number / 1000, ".", number % 1000 / 10); }
};

const Card& card() {
  static const Card& one = *new Card;  // lives until the process ends, since tensors may be static
  return one;
}

DeviceArena& arena() {
  static DeviceArena& one = *new DeviceArena;
  return one;
}

void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, const char* what) {
  if (bytes == 0) return;
  check_cuda(cudaMemcpyAsync(to, from, bytes, kind, stream()), what);
}

std::byte* take_shared(std::size_t bytes) {
  void* memory = nullptr;
  card();
  check_cuda(cudaMallocManaged(&memory, std::max<std::size_t>(1, bytes)), "taking memory that the host may touch");
  return static_cast<std::byte*>(memory);
}

std::atomic<std::int64_t> launches{0};

// A moment in the stream.
class Moment {
 public:
  Moment() { check_cuda(cudaEventCreate(&event_), "making an event"); }
  ~Moment() { cudaEventDestroy(event_); }
  Moment(const Moment&) = delete;
  Moment& operator=(const Moment&) = delete;

  // When all work so far is done.
  void record() { check_cuda(cudaEventRecord(event_, stream()), "recording an event"); }
  // Both have passed.
  double ms_since(const Moment& earlier) const {
    float ms = 0;
    check_cuda(cudaEventElapsedTime(&ms, earlier.event_, event_), "reading the device's clock");
    return static_cast<double>(ms);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// Two moments a run, so that what the host does between runs is no run's.
std::vector<double> time_runs(int runs, const std::function<void()>& run) {
  card();
  const auto count = static_cast<std::size_t>(runs);
  std::vector<Moment> begins(count), ends(count);
  for (std::size_t i = 0; i < count; ++i) {
    begins[i].record();
    run();
    ends[i].record();
  }
  check_cuda(cudaStreamSynchronize(stream()), "waiting for the device");
  std::vector<double> ms;
  for (std::size_t i = 0; i < count; ++i) ms.push_back(ends[i].ms_since(begins[i]));
  return ms;
}

std::string describe() {
  card();
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, 0), "reading the device's properties");
  int driver = 0;
  cudaDriverGetVersion(&driver);
  return message(properties.name, ", ", properties.totalGlobalMem >> 20, " MB, compute capability ", properties.major,
                 ".", properties.minor, ", driver for CUDA ", Card::version(driver), ", runtime ",
                 Card::version(Card::runtime_version()));
}

const DeviceMemory memory{
    [](std::size_t bytes) { return arena().take(bytes); },
    [](std::byte* piece, std::size_t bytes) { arena().give_back(piece, bytes); },
    copy_to_device,
    copy_to_host,
    [](void* to, const void* from, std::size_t bytes) {
      copy(to, from, bytes, cudaMemcpyDeviceToDevice, "copying within the device");
    },
    [](void* numbers, std::size_t bytes) {
      if (bytes > 0) check_cuda(cudaMemsetAsync(numbers, 0, bytes, stream()), "clearing memory");
    },
    upload_pictures,
    [] { return arena().use(); },
    [] { arena().restart_peak(); },
    [] { check_cuda(cudaStreamSynchronize(stream()), "waiting for the device"); },
    time_runs,
    [] { return launches.load(); },
    take_shared,
    [](std::byte* piece) { cudaFree(piece); },
    describe,
};

}  // namespace

void check_cuda(cudaError_t status, const char* what) {
  check(status == cudaSuccess, "cuda: ", what, ": ", cudaGetErrorString(status),
        waits_after_each_launch() ? "" : " (ACOL_CUDA_SYNC=1 finds the kernel, if it was an earlier one)");
}

cudaStream_t stream() { return card().stream; }

bool waits_after_each_launch() {
  static const bool waits = [] {
    const char* const text = std::getenv("ACOL_CUDA_SYNC");
    return text != nullptr && std::strcmp(text, "1") == 0;
  }();
  return waits;
}

void count_launch() { ++launches; }

Scratch::Scratch(std::size_t bytes) : memory_(arena().take(bytes)), bytes_(bytes) {}
Scratch::~Scratch() { arena().give_back(static_cast<std::byte*>(memory_), bytes_); }

void copy_to_host(void* host, const void* device, std::size_t bytes) {
  copy(host, device, bytes, cudaMemcpyDeviceToHost, "copying to the host");
  check_cuda(cudaStreamSynchronize(stream()), "copying to the host");
}

// A copy from ordinary memory has been read when the call returns.
void copy_to_device(void* device, const void* host, std::size_t bytes) {
  copy(device, host, bytes, cudaMemcpyHostToDevice, "copying to the device");
}

}  // namespace acol::cuda

namespace acol {

const CudaBackend& cuda_backend() {
  cuda::stream();  // or an Error
  static const CudaBackend backend{&cuda::kernels(), &cuda::kernels_bf16(), &cuda::memory};
  return backend;
}

}  // namespace acol
