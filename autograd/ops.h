// Every differentiable operation. Activations are (N, H, W, C), filters (O, R, S, C). All inputs of one operation have
// one element type, but parameters beside bfloat16 activations are float32. A wrong shape is an Error that names the
// operation, what it expected and what came.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "autograd/variable.h"
#include "tensor/kernels.h"

namespace acol {

using Pair = std::array<int, 2>;  // (vertical, horizontal)

struct Conv2dOptions {
  Pair stride{1, 1}, pad{0, 0}, dilation{1, 1};
  bool relu = false;        // y = max(conv, 0), fused
  bool make_again = false;  // backward makes y again rather than keeping it (see Saved): where x has few channels
};
// x: (N, H, W, C), w: (O, R, S, C), bias: (O) or undefined -> (N, P, Q, O); sizes in tensor/geometry.h.
Variable conv2d(const Variable& x, const Variable& w, const Variable& bias, const Conv2dOptions& options = {});

// x: (N, C), w: (O, C), bias: (O) or undefined -> (N, O). A 1x1 convolution of a 1x1 image.
Variable linear(const Variable& x, const Variable& w, const Variable& bias);

struct Pool2dOptions {
  Pair window{2, 2}, stride{2, 2}, pad{0, 0};
  bool relu = false;  // max_pool2d only: y = max(pooled, 0), as the pool of max(x, 0), but for the sign of a 0
};
Variable max_pool2d(const Variable& x, const Pool2dOptions& options);
// count_padding: zeros of the padding count in the mean (PyTorch's count_include_pad, its default).
Variable avg_pool2d(const Variable& x, const Pool2dOptions& options, bool count_padding = true);
// (N, H, W, C) -> (N, C), of the type of parameters.
Variable global_avg_pool(const Variable& x);

// x in the type that a network's activations have with the device and the precision in use (activation_type() in
// tensor/tensor.h), and back in that of parameters; x itself where that is its type.
Variable to_activations(const Variable& x);
Variable to_parameters(const Variable& x);

Variable relu(const Variable& x);
Variable add(const Variable& a, const Variable& b);
Variable multiply(const Variable& a, const Variable& b);
Variable maximum(const Variable& a, const Variable& b);

struct BatchNormOptions {
  bool training = false;
  double momentum = 0.1;  // running = (1 - momentum) running + momentum new
  double epsilon = 1e-5;
};
// x: any rank, channels last; gamma, beta, running_mean, running_variance: (C). In training normalises with the batch's
// statistics (biased variance) and moves the running ones (unbiased variance, as PyTorch); otherwise uses the running
// ones.
Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, Tensor& running_mean,
                    Tensor& running_variance, const BatchNormOptions& options);

// Zeroes each number with probability `rate` and scales the others by 1 / (1 - rate). Draws depend on (seed, step,
// layer) and the position alone. rate in [0, 1); 0 returns x.
struct DropoutDraw {
  std::uint64_t seed = 0;
  std::uint32_t step = 0, layer = 0;
};
Variable dropout(const Variable& x, double rate, const DropoutDraw& draw);

// The same numbers in another shape of equal count; shares them.
Variable reshape(const Variable& x, const Shape& shape);

// logits: (N, K), labels: N numbers in [0, K) -> (1): the mean over the batch of -log softmax(logits)[label].
Variable softmax_cross_entropy(const Variable& logits, const std::vector<int>& labels);

// (N, H, W, C) -> (N, height, width, C); definitions at ResizeGeometry in tensor/kernels.h.
Variable resize(const Variable& x, int height, int width, Interpolation interpolation);

// Class maps without all classes: x: (N, H, W, C), w: (K, 1, 1, C), bias: (K) or undefined, labels: N -> (N, H, W):
// channel labels[n] of the 1x1 convolution conv2d(x, w, bias) in image n. A plain tensor: no gradient.
Tensor class_map(const Tensor& x, const Tensor& w, const Tensor& bias, const std::vector<int>& labels);

// maps: (N, H, W, K), labels: N -> (N, H, W): each image's map of its label, min-max normalised to [0, 1] (all zeros if
// constant or not finite). A plain tensor: no gradient.
Tensor normalized_map(const Tensor& maps, const std::vector<int>& labels);
// The same of one map an image, as class_map gives it. map: (N, H, W) -> (N, H, W).
Tensor normalized_map(const Tensor& map);

// ACoL's erase (Zhang et al. 2018, section 3.2): features x (N, H, W, C) are set to 0 wherever heat (N, H, W) >=
// threshold, over all channels. threshold in [0, 1]. The mask is a constant: the gradient passes where x was kept and
// nothing flows into the heat map.
Variable erase(const Variable& x, const Tensor& heat, double threshold);

}  // namespace acol
