// Pictures on their way to the card: as bytes, a quarter of what their numbers take, through memory that the card reads
// by itself (pinned), in a stream beside the one that computes. They become numbers there.
#include "cuda/pictures.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/index.cuh"

namespace acol::cuda {

namespace {

struct Channels {
  float of[3];
};

// Rounded as the CPU does it (acol/data/transform.cpp), so that both see the same numbers.
__global__ void picture_kernel(std::int64_t count, const std::uint8_t* rgb, Channels mean, Channels std,
                               float* numbers) {
  for_each_index(count, [&](std::int64_t i) {
    const auto c = static_cast<int>(i % 3);
    numbers[i] = (static_cast<float>(rgb[i]) / 255.0f - mean.of[c]) / std.of[c];
  });
}

// What one upload at a time needs. Kept, since pinned memory is slow to get.
class Lane {
 public:
  Lane() {
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream for pictures");
    check_cuda(cudaEventCreateWithFlags(&so_far_, cudaEventDisableTiming), "making an event for pictures");
  }

  void upload(float* numbers, const std::uint8_t* rgb, std::int64_t pixels, const Channels& mean, const Channels& std) {
    const auto bytes = static_cast<std::size_t>(3 * pixels);
    if (bytes == 0) return;
    grow(bytes);
    std::memcpy(pinned_, rgb, bytes);
    // Until now `numbers` may have been someone else's, whose kernels are still to run.
    check_cuda(cudaEventRecord(so_far_, stream()), "uploading pictures");
    check_cuda(cudaStreamWaitEvent(stream_, so_far_), "uploading pictures");
    check_cuda(cudaMemcpyAsync(there_, pinned_, bytes, cudaMemcpyHostToDevice, stream_), "uploading pictures");
    Grid grid = grid_for(3 * pixels);
    grid.stream = stream_;
    launch("pictures", picture_kernel, grid, 3 * pixels, there_, mean, std, numbers);
    check_cuda(cudaStreamSynchronize(stream_), "uploading pictures");
  }

 private:
  void grow(std::size_t bytes) {
    if (bytes <= capacity_) return;
    if (capacity_ > 0) {
      check_cuda(cudaFreeHost(pinned_), "giving back memory for pictures");
      check_cuda(cudaFree(there_), "giving back memory for pictures");
      capacity_ = 0;
    }
    void *here = nullptr, *there = nullptr;
    check_cuda(cudaMallocHost(&here, bytes), "taking pinned memory for pictures");
    check_cuda(cudaMalloc(&there, bytes), "taking memory for pictures");
    pinned_ = static_cast<std::uint8_t*>(here);
    there_ = static_cast<std::uint8_t*>(there);
    capacity_ = bytes;
  }

  cudaStream_t stream_ = nullptr;
  cudaEvent_t so_far_ = nullptr;
  std::size_t capacity_ = 0;
  std::uint8_t *pinned_ = nullptr, *there_ = nullptr;
};

// Those that nobody uses. They live until the process ends.
struct Lanes {
  std::mutex mutex;
  std::vector<std::unique_ptr<Lane>> free;
};
Lanes& lanes() {
  static Lanes& one = *new Lanes;
  return one;
}

std::unique_ptr<Lane> take_lane() {
  const std::lock_guard lock(lanes().mutex);
  if (lanes().free.empty()) return std::make_unique<Lane>();
  std::unique_ptr<Lane> lane = std::move(lanes().free.back());
  lanes().free.pop_back();
  return lane;
}

}  // namespace

void upload_pictures(float* numbers, const std::uint8_t* rgb, std::int64_t pixels, const float* mean,
                     const float* std) {
  stream();  // opens the card
  std::unique_ptr<Lane> lane = take_lane();
  lane->upload(numbers, rgb, pixels, {mean[0], mean[1], mean[2]}, {std[0], std[1], std[2]});
  const std::lock_guard lock(lanes().mutex);
  lanes().free.push_back(std::move(lane));
}

}  // namespace acol::cuda
