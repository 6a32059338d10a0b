// The whole network of ACoL and of CAM: trunk, average pool, one or two classifiers.
//
//   x --trunk--> --avg pool 3x3--> f --classifier_a--> maps A --mean--> logits A
//                                   \--erase where maps A of the label are high--classifier_b--> maps B --mean-->
//                                   logits B
//
// A classifier ends in a 1x1 convolution, which commutes with the mean: training takes the mean first, and makes no
// maps but the one that cuts the hole.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "acol/network/config.h"
#include "acol/network/heads.h"
#include "layers/sequential.h"

namespace acol {

enum class Initialiser {
  xavier,  // uniform, as the official code; biases 0
  he,      // normal, fan in; biases 0
};

class Network : public Module {
 public:
  // Error if the configuration is not valid. Filters are undetermined until initialised or loaded.
  explicit Network(const NetworkConfig& config);

  const NetworkConfig& config() const { return config_; }
  bool has_branch_b() const { return config_.method == Method::acol; }

  // (N, H, W, 3) -> (N, P, Q, 512 width), smoothed by a 3x3 average pool (zeros of the padding count), as the official
  // code. From here to what a classifier's last layer sees, numbers have the type of activations (activation_type() in
  // tensor/tensor.h); maps and logits have that of parameters.
  Variable features(const Variable& x);

  struct Branch {
    Variable maps;    // (N, P, Q, classes)
    Variable logits;  // (N, classes)
  };
  Branch branch_a(const Variable& features);
  // `heat`: (N, P, Q) in [0, 1], the normalised map of A whose high part is cut out (normalized_map of autograd/ops.h).
  // No gradient goes into it. Error for a network without classifier B.
  Branch branch_b(const Variable& features, const Tensor& heat);

  // What training takes of the branches: the same logits, and of the maps only those of one class an image, which cut
  // the hole. The 1x1 convolution and its gradients, at every pixel and for all classes, are left out (heads.h).
  //
  // (N, P, Q, 512 width) -> (N, P, Q, 1024 width): what the last layer of A sees.
  Variable hidden_a(const Variable& features);
  Variable logits_a(const Variable& hidden);                                 // (N, classes)
  Tensor map_a(const Tensor& hidden, const std::vector<int>& labels) const;  // of labels[n] in image n: (N, P, Q)
  // As branch_b.
  Variable logits_b(const Variable& features, const Tensor& heat);

  // Less memory in training for a little more work, with the same bits: backward makes conv1_1's map again, the largest
  // of all, from the three channels of the picture. Nothing changes where that map is not kept anyway (VGG11, where a
  // pool follows) or batch norm keeps it.
  void set_lean(bool lean);

  // Logits of A: what classifies, in training and at test.
  Variable forward(const Variable& x) override;

  // Draws all weights: parameter number i of parameters() from stream i of `seed`.
  void initialise(Initialiser kind, std::uint64_t seed);

  // For inference: merges batch norm into the convolutions. Parameter names change; do not save afterwards.
  void fold_batch_norm();

  // The classifier's parts, for CAM in its two forms.
  ClassifierHead& head_a() { return *head_a_; }

  // Multiply-adds of one forward pass of one picture with all class maps, each convolution once, both branches.
  std::int64_t multiply_adds(int height, int width);

 private:
  // The features with the hole of `heat`.
  Variable left_for_b(const Variable& features, const Tensor& heat) const;

  NetworkConfig config_;
  std::shared_ptr<Sequential> trunk_;
  std::shared_ptr<ClassifierHead> head_a_, head_b_;
};

// Number of trained numbers.
std::int64_t parameter_count(const Module& module);

}  // namespace acol
