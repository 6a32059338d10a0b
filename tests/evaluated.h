// What the tests of evaluate() share: a small untrained network, a drawn set with everything that can be odd, and one
// picture's way through the network.
#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "acol/data/image.h"
#include "acol/evaluate/class_maps.h"
#include "acol/evaluate/evaluate.h"
#include "tests/small_network.h"
#include "tests/tiny_set.h"

namespace acol::testing {

constexpr int classes = 7;  // so that five guesses do not cover all

inline Preprocessing preprocessing() {
  Preprocessing how;
  how.resize = 40;
  how.crop = 32;
  return how;
}

// With biases and running statistics that differ from picture to picture in what they favour.
inline std::shared_ptr<Network> untrained(Method method = Method::acol, int class_count = classes) {
  NetworkConfig config = small_config("vgg11_bn", method);
  config.width = 0.05;
  config.classes = class_count;
  auto network = std::make_shared<Network>(config);
  randomise(*network, 41);
  network->set_training(false);
  return network;
}

// Without the sweep over thresholds, which takes most of the time.
inline EvaluateOptions quick(int batch_size = 8) {
  EvaluateOptions options;
  options.batch_size = batch_size;
  options.workers = 1;
  options.max_box_acc = false;
  return options;
}

// Boxes twice as wide as high, several in some pictures, some blacklisted, unequally many pictures of the classes.
inline Dataset varied() {
  static const TinySet one({.classes = classes, .train = 1, .val = 6, .size = 48, .seed = 9});
  Dataset data = one.val;
  data.samples.resize(data.samples.size() - 3);
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    Sample& sample = data.samples[i];
    if (i % 3 == 0) sample.boxes.push_back({2, 3, 30, 40});
    if (i % 5 == 0) sample.boxes.push_back({20, 0, 47, 44});
    sample.blacklisted = i % 4 == 0;
    if (i % 7 == 6) sample.boxes.clear();
  }
  return data;
}

inline Network& network() {
  static const std::shared_ptr<Network> one = untrained();
  return *one;
}

inline Evaluation run(const EvaluateOptions& options, const Dataset& data) {
  return evaluate(network(), preprocessing(), data, options);
}

// One picture on its way through the network, as test_input cuts it.
struct Passed {
  Image image;
  PassA a;
  std::vector<int> ranking;
};
inline Passed passed(const Dataset& data, const Sample& sample, TestInput input = TestInput::warp) {
  Passed one;
  one.image = read_image(data.path(sample));
  Tensor tensor = Tensor::empty({1, 32, 32, 3});
  test_input(one.image, preprocessing(), tensor.f32(), input);
  one.a = forward_a(network(), tensor);
  one.ranking = top_classes(one.a.probabilities, 0, classes);
  return one;
}

// All boxes of a class's map, with the hole cut by `hole`.
inline std::vector<Box> boxes_of(const Passed& picture, int label, int hole, const BoxRule& rule) {
  const ScoreMap map = class_maps(network(), picture.a, {label}, {hole})[0].fused;
  std::vector<Box> boxes =
      boxes_by_rule(resized(map, picture.image.width, picture.image.height, rule.interpolation()), rule);
  if (boxes.empty()) boxes.push_back(box_without_answer(rule, picture.image.width, picture.image.height));
  return boxes;
}

inline bool same(const std::optional<double>& got, double want) { return got && std::abs(*got - want) <= 1e-9; }

}  // namespace acol::testing
