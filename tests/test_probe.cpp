// The leak probe: against a plain loop over single pictures, and on networks whose branch B does, and cannot, read the
// hole.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "acol/data/image.h"
#include "acol/evaluate/probe.h"
#include "autograd/ops.h"
#include "tests/small_network.h"
#include "tests/tiny_set.h"

using namespace acol;
using namespace acol::testing;
using Json = nlohmann::json;

namespace {

const TinySet& set() {
  static const TinySet one({.classes = 4, .train = 1, .val = 8, .size = 40, .seed = 11});
  return one;
}

Preprocessing preprocessing(int side) {
  Preprocessing how;
  how.resize = how.crop = side;
  how.mean = {0, 0, 0};
  how.std = {1, 1, 1};
  return how;
}

std::shared_ptr<Network> untrained(Method method = Method::acol) {
  NetworkConfig config = small_config("vgg11_bn", method);
  config.width = 0.05;
  auto network = std::make_shared<Network>(config);
  randomise(*network, 57);
  network->set_training(false);
  return network;
}

ProbeOptions options(int batch_size = 5, std::uint64_t seed = 1) {
  ProbeOptions how;
  how.batch_size = batch_size;
  how.workers = 1;
  how.seed = seed;
  return how;
}

int best(const Tensor& logits) {
  int at = 0;
  for (int k = 1; k < static_cast<int>(logits.count()); ++k)
    if (logits.at(k) > logits.at(at)) at = k;
  return at;
}

// One picture after the other, through the branches; the wrong label of sample i is a draw from stream i.
ProbeResult naive_probe(Network& network, const Dataset& data, int side, std::uint64_t seed) {
  const NoGrad no_grad;
  int a_right = 0, by_truth = 0, by_answer = 0, by_wrong = 0, follows = 0;
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    Tensor input = Tensor::empty_on_host({1, side, side, 3});
    test_input(read_image(data.path(data.samples[i])), preprocessing(side), input.f32());
    const Variable features = network.features(Variable(input.to_device()));
    const Network::Branch a = network.branch_a(features);
    const auto answer_b = [&](int hole) {
      return best(network.branch_b(features, normalized_map(a.maps.value(), {hole})).logits.value());
    };
    const int truth = data.samples[i].label, answer = best(a.logits.value());
    RandomStream random(seed, Purpose::probe, static_cast<std::uint32_t>(i));
    std::vector<int> others;  // the classes that come after the true one, around the circle
    for (int k = 1; k < data.classes(); ++k) others.push_back((truth + k) % data.classes());
    const int wrong = others[static_cast<std::size_t>(random.below(data.classes() - 1))];
    a_right += answer == truth;
    by_truth += answer_b(truth) == truth;
    by_answer += answer_b(answer) == truth;
    by_wrong += answer_b(wrong) == truth;
    follows += answer_b(wrong) == wrong;
  }
  const auto n = static_cast<std::int64_t>(data.samples.size());
  const auto percent = [&](int count) { return 100.0 * count / static_cast<double>(n); };
  return {n, percent(a_right), percent(by_truth), percent(by_answer), percent(by_wrong), percent(follows)};
}

void check_same(const ProbeResult& got, const ProbeResult& want) {
  CHECK(got.images == want.images);
  CHECK(got.a_acc == want.a_acc);
  CHECK(got.b_acc_truth == want.b_acc_truth);
  CHECK(got.b_acc_predicted == want.b_acc_predicted);
  CHECK(got.b_acc_wrong == want.b_acc_wrong);
  CHECK(got.b_follows_wrong == want.b_follows_wrong);
}

// Pictures of three stripes, red, green and blue, the same for all three classes, so that nothing but a hole can tell
// the class. Red is the widest. Pooling widens each by two or three of the 24 x 24 map pixels, so stripes are broad.
struct Stripes {
  static constexpr int side = 192;
  TemporaryFolder folder;
  Dataset data;
  Stripes() {
    Image image{side, side, std::vector<std::uint8_t>(side * side * 3, 0)};
    for (std::size_t i = 0; i < side * side; ++i) {
      const std::size_t x = i % side;
      image.rgb[3 * i + (x < 96 ? 0 : x < 144 ? 1 : 2)] = 255;
    }
    data.layout = "folder";
    data.root = folder.path();
    data.split = "val";
    data.class_ids = data.class_names = {"red", "green", "blue"};
    for (int i = 0; i < 15; ++i) {
      data.samples.push_back({.id = message(i, ".png"), .label = i % 3});
      write_png(data.path(data.samples.back()), image);
    }
  }
};

// Every layer hands the three colours on; A's map of class k is colour k. B's logit of class k is `sign` times what is
// left of colour k: with -1 the class whose colour was cut out wins.
std::shared_ptr<Network> colour_network(float sign) {
  NetworkConfig config;
  config.arch = "vgg11";
  config.width = 3.0 / 64;
  config.classes = 3;
  auto network = std::make_shared<Network>(config);
  network->set_training(false);
  for (NamedParameter& parameter : network->parameters()) {
    Tensor& value = parameter.variable.value();
    if (value.shape().rank() != 4) continue;
    value.fill(0);
    value.fill(0);
    const Shape& shape = value.shape();  // (O, R, S, C): one in the middle of the window
    for (std::int64_t c = 0; c < 3; ++c)
      value.set(((c * shape[1] + shape[1] / 2) * shape[2] + shape[2] / 2) * shape[3] + c,
                parameter.name == "classifier_b.4.weight" ? sign : 1);
  }
  return network;
}

}  // namespace

TEST_CASE("the probe's figures are those of a plain loop, whatever the batches") {
  const auto network = untrained();
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    const ProbeResult want = naive_probe(*network, set().val, 32, seed);
    for (const int batch_size : {1, 5, 32})
      check_same(probe(*network, preprocessing(32), set().val, options(batch_size, seed)), want);
    CHECK(want.images == 32);
  }
  // The seed moves the wrong labels and nothing else.
  const ProbeResult one = naive_probe(*network, set().val, 32, 1), two = naive_probe(*network, set().val, 32, 2);
  CHECK(one.b_acc_truth == two.b_acc_truth);
  CHECK(one.b_follows_wrong != two.b_follows_wrong);
}

TEST_CASE("a branch B that reads the hole is found out; a wrong label is never the true one") {
  const Stripes stripes;
  const auto reader = colour_network(-1);
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    const ProbeResult result = probe(*reader, preprocessing(Stripes::side), stripes.data, options(7, seed));
    CHECK(result.images == 15);
    CHECK(result.a_acc == 100.0 / 3);            // always red
    CHECK(result.b_acc_truth == 100);            // the hole gives the label away
    CHECK(result.b_acc_predicted == 100.0 / 3);  // ... and A's answer
    CHECK(result.b_follows_wrong == 100);
    CHECK(result.b_acc_wrong == 0);  // would not be, were one of the 45 wrong labels right
    check_same(result, naive_probe(*reader, stripes.data, Stripes::side, seed));
  }

  // A branch B that answers what it sees most of answers what is left, never the hole.
  const ProbeResult honest = probe(*colour_network(1), preprocessing(Stripes::side), stripes.data, options());
  CHECK(honest.b_acc_truth == 0);
  CHECK(honest.b_follows_wrong == 0);
  CHECK(honest.b_acc_predicted == 100.0 / 3);  // red cut out: always the same other class
}

TEST_CASE("what cannot be probed is an error; unreadable pictures are left out") {
  CHECK_THROWS_WITH_AS(probe(*untrained(Method::cam), preprocessing(32), set().val, options()),
                       doctest::Contains("branch B"), Error);
  NetworkConfig config = small_config();
  config.classes = 1;
  Network single(config);
  CHECK_THROWS_WITH_AS(probe(single, preprocessing(32), subset(set().val, 0, 1), options()),
                       doctest::Contains("one class"), Error);
  const auto network = untrained();
  CHECK_THROWS_WITH_AS(probe(*network, preprocessing(32), subset(set().val, 0, 3), options()),
                       doctest::Contains("4 classes"), Error);
  ProbeOptions how = options();
  how.stop_requested = [] { return true; };
  CHECK_THROWS_WITH_AS(probe(*network, preprocessing(32), set().val, how), doctest::Contains("stopped"), Error);

  Stripes stripes;
  const auto reader = colour_network(-1);
  std::ofstream(stripes.data.path(stripes.data.samples[4]), std::ios::trunc) << "no picture\n";
  std::int64_t last = 0;
  how = options(1);
  how.progress = [&](std::int64_t done, std::int64_t total) {
    CHECK(total == 15);
    CHECK(done == last + 1);
    last = done;
  };
  reader->set_training(true);
  const ProbeResult result = probe(*reader, preprocessing(Stripes::side), stripes.data, how);
  CHECK_FALSE(reader->training());
  CHECK(last == 15);
  CHECK(result.images == 14);
  CHECK(result.b_acc_truth == 100);
  CHECK(result.a_acc == 100.0 * 5 / 14);
  for (const Sample& sample : stripes.data.samples)
    std::ofstream(stripes.data.path(sample), std::ios::trunc) << "no picture\n";
  CHECK_THROWS_WITH_AS(probe(*reader, preprocessing(Stripes::side), stripes.data, options()),
                       doctest::Contains("could be read"), Error);
}

TEST_CASE("the probe as JSON") {
  const Json json = Json::parse(to_json(ProbeResult{10, 1, 2, 3, 4, 5}, 8));
  CHECK(json == Json{{"n", 10},
                     {"a_acc", 1.0},
                     {"b_acc_truth", 2.0},
                     {"b_acc_predicted", 3.0},
                     {"b_acc_wrong", 4.0},
                     {"b_follows_wrong", 5.0},
                     {"chance", 12.5}});
}
