#include "acol/network/vgg.h"

#include <array>

#include "layers/activation.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/pool.h"
#include "tensor/check.h"

namespace acol {

namespace {

constexpr std::array<int, 5> block_channels{64, 128, 256, 512, 512};

// Convolutions in each of the five blocks.
std::array<int, 5> block_depths(const std::string& arch) {
  if (arch.starts_with("vgg11")) return {1, 1, 2, 2, 2};
  if (arch.starts_with("vgg13")) return {2, 2, 2, 2, 2};
  if (arch.starts_with("vgg16")) return {2, 2, 3, 3, 3};
  if (arch.starts_with("vgg19")) return {2, 2, 4, 4, 4};
  fail("network: unknown architecture '", arch, "'");
}

}  // namespace

int vgg_out_channels(const NetworkConfig& config) { return scaled_channels(block_channels.back(), config.width); }

std::shared_ptr<Sequential> make_vgg(const NetworkConfig& config) {
  const bool batch_norm = config.arch.ends_with("_bn");
  const std::array<int, 5> depths = block_depths(config.arch);
  const std::array<int, 5> pool_strides{2, 2, 2, config.map_stride == 16 ? 2 : 1, 1};

  auto trunk = std::make_shared<Sequential>();
  int in = 3, number = 0;
  const auto add = [&](std::shared_ptr<Module> module) { trunk->add(std::to_string(number++), std::move(module)); };
  for (std::size_t block = 0; block < 5; ++block) {
    const int out = scaled_channels(block_channels[block], config.width);
    for (int i = 0; i < depths[block]; ++i, in = out) {
      const bool relu = !batch_norm && i + 1 < depths[block];
      add(std::make_shared<Conv2d>(in, out, Pair{3, 3}, Conv2dOptions{.pad = {1, 1}, .relu = relu}));
      if (batch_norm) {
        add(std::make_shared<BatchNorm>(out));
        add(std::make_shared<Relu>());
      } else {
        ++number;  // the ReLU, done by the convolution or the pool
      }
    }
    const int stride = pool_strides[block];
    add(std::make_shared<MaxPool2d>(
        Pool2dOptions{.window = {3, 3}, .stride = {stride, stride}, .pad = {1, 1}, .relu = !batch_norm}));
  }
  return trunk;
}

}  // namespace acol
