#include "acol/evaluate/class_maps.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops.h"
#include "tensor/check.h"

namespace acol {

namespace {

Tensor softmax(const Tensor& logits) {
  Tensor probabilities = Tensor::empty(logits.shape(), logits.dtype());
  const int rows = logits.shape()[0];
  const std::vector<int> labels(static_cast<std::size_t>(rows), 0);
  with_scalar(logits.dtype(), [&]<class T>() {
    std::vector<T> loss(static_cast<std::size_t>(rows));
    kernels<T>().softmax_cross_entropy_forward(rows, logits.shape()[1], logits.data<T>(), labels.data(),
                                               probabilities.data<T>(), loss.data());
  });
  return probabilities.to_host();
}

// Channel `label` of image `image` of maps (N, P, Q, K) on the host, normalised.
ScoreMap normalised_channel(const Tensor& maps, int image, int label) {
  const Shape& shape = maps.shape();
  ScoreMap map{shape[2], shape[1], {}};
  const std::int64_t pixels = std::int64_t{shape[1]} * shape[2];
  map.values.reserve(static_cast<std::size_t>(pixels));
  for (std::int64_t i = 0; i < pixels; ++i) map.values.push_back(maps.at((image * pixels + i) * shape[3] + label));
  min_max_normalise(map);
  return map;
}

// Branch B on the features of `a` with the hole of labels[n] in image n.
Network::Branch pass_b(Network& network, const PassA& a, const std::vector<int>& labels) {
  const NoGrad no_grad;
  return network.branch_b(Variable(a.features), normalized_map(a.maps, labels));
}

}  // namespace

PassA forward_a(Network& network, const Tensor& images) {
  const NoGrad no_grad;
  const Variable features = network.features(Variable(images.to_device()));
  const Network::Branch a = network.branch_a(features);
  return {features.value(), a.maps.value(), softmax(a.logits.value())};
}

AnswerA answer_a(Network& network, const Tensor& images) {
  const NoGrad no_grad;
  const Tensor logits = network.branch_a(network.features(Variable(images.to_device()))).logits.value();
  return {logits.to_host(), softmax(logits)};
}

Tensor logits_b(Network& network, const PassA& a, const std::vector<int>& labels) {
  return pass_b(network, a, labels).logits.value().to_host();
}

std::vector<ClassMaps> class_maps(Network& network, const PassA& a, const std::vector<int>& labels) {
  return class_maps(network, a, labels, labels);
}

std::vector<ClassMaps> class_maps(Network& network, const PassA& a, const std::vector<int>& labels,
                                  const std::vector<int>& holes) {
  const int images = a.maps.shape()[0];
  for (const std::vector<int>* list : {&labels, &holes}) {
    check(static_cast<int>(list->size()) == images, "maps: ", images, " images, but ", list->size(), " labels");
    for (const int label : *list)
      check(label >= 0 && label < a.maps.shape()[3], "maps: no class ", label, "; there are ", a.maps.shape()[3]);
  }
  Tensor maps_b;
  if (network.has_branch_b()) maps_b = pass_b(network, a, holes).maps.value();

  const Tensor host_a = a.maps.to_host(), host_b = maps_b.to_host();
  std::vector<ClassMaps> result(labels.size());
  for (int n = 0; n < images; ++n) {
    const auto i = static_cast<std::size_t>(n);
    result[i].a = normalised_channel(host_a, n, labels[i]);
    if (host_b.defined()) result[i].b = normalised_channel(host_b, n, labels[i]);
    result[i].fused = host_b.defined() ? fused(result[i].a, result[i].b) : result[i].a;
  }
  return result;
}

std::vector<int> top_classes(const Tensor& scores, int image, int count) {
  const int classes = scores.shape()[1];
  std::vector<int> order(static_cast<std::size_t>(classes));
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, classes);
  const auto score = [&](int k) { return scores.at(std::int64_t{image} * classes + k); };
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int left, int right) {
    return score(left) > score(right) || (score(left) == score(right) && left < right);
  });
  order.resize(static_cast<std::size_t>(count));
  return order;
}

std::vector<int> answers(const Tensor& scores) {
  const Tensor host = scores.to_host();
  std::vector<int> best;
  for (int n = 0; n < host.shape()[0]; ++n) best.push_back(top_classes(host, n, 1)[0]);
  return best;
}

}  // namespace acol
