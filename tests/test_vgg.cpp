// The trunk and the network's size: parameter counts, layer names, map sizes and multiply-adds, worked out by hand.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "acol/network/network.h"
#include "acol/network/vgg.h"
#include "layers/module.h"

using namespace acol;

namespace {

NetworkConfig config_of(const std::string& arch, double width = 1, int classes = 1000, int map_stride = 8) {
  NetworkConfig config;
  config.arch = arch;
  config.width = width;
  config.classes = classes;
  config.map_stride = map_stride;
  return config;
}

std::int64_t count_below(const Module& module, const std::string& prefix) {
  std::int64_t total = 0;
  for (const NamedParameter& parameter : module.parameters())
    if (parameter.name.starts_with(prefix)) total += parameter.variable.value().count();
  return total;
}

// torchvision's vgg*.features: the numbers of the convolutions (and of the batch norms: the next number each).
const std::map<std::string, std::vector<int>> convolution_numbers{
    {"vgg11", {0, 3, 6, 8, 11, 13, 16, 18}},
    {"vgg13", {0, 2, 5, 7, 10, 12, 15, 17, 20, 22}},
    {"vgg16", {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28}},
    {"vgg19", {0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34}},
    {"vgg11_bn", {0, 4, 8, 11, 15, 18, 22, 25}},
    {"vgg13_bn", {0, 3, 7, 10, 14, 17, 21, 24, 28, 31}},
    {"vgg16_bn", {0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40}},
    {"vgg19_bn", {0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49}},
};

std::vector<std::string> names_of(const std::vector<NamedParameter>& parameters) {
  std::vector<std::string> names;
  for (const NamedParameter& parameter : parameters) names.push_back(parameter.name);
  return names;
}

}  // namespace

TEST_CASE("VGG16-ACoL has the paper's number of parameters") {
  // Trunk: 13 convolutions. Head: 512 x 9 x 1024 + 1024, 1024 x 9 x 1024 + 1024, 1024 K + K.
  const Network network(config_of("vgg16"));
  CHECK(count_below(network, "features.") == 14714688);
  CHECK(count_below(network, "classifier_a.") == 15182824);
  CHECK(count_below(network, "classifier_b.") == 15182824);
  CHECK(parameter_count(network) == 45080336);
}

TEST_CASE("CAM is the trunk and one head") {
  NetworkConfig config = config_of("vgg16", 1.0 / 8);
  const Network acol(config);
  config.method = Method::cam;
  const Network cam(config);
  CHECK(acol.has_branch_b());
  CHECK_FALSE(cam.has_branch_b());
  CHECK(parameter_count(cam) == parameter_count(acol) - count_below(acol, "classifier_b."));
}

TEST_CASE("and with the classes of CUB-200-2011 and Caltech-256") {
  for (const auto& [this_classes, parameters] :
       std::map<int, std::int64_t>{{200, 43440336}, {256, 43555136}, {257, 43557186}}) {
    const auto& classes = this_classes;  // a message is a lambda, and Clang 14 captures no binding
    INFO(classes, " classes");
    CHECK(parameter_count(Network(config_of("vgg16", 1, classes))) == parameters);
  }
}

TEST_CASE("multiply-adds of VGG16-ACoL at 224 pixels") {
  // Pixels x filter, block by block; the heads work at the map's size.
  const std::int64_t first_four = std::int64_t{224 * 224} * (27 * 64 + 576 * 64)            // 224 x 224
                                  + std::int64_t{112 * 112} * (576 * 128 + 1152 * 128)      // 112 x 112
                                  + std::int64_t{56 * 56} * (1152 * 256 + 2 * 2304 * 256)   // 56 x 56
                                  + std::int64_t{28 * 28} * (2304 * 512 + 2 * 4608 * 512);  // 28 x 28
  const std::int64_t fifth = 3 * 4608 * 512;                                                // a map pixel
  const std::int64_t heads = 2 * (std::int64_t{4608} * 1024 + std::int64_t{9216} * 1024 + 1024 * 1000);
  CHECK(first_four == 13959364608);
  CHECK(first_four + 28 * 28 * (fifth + heads) == 43310317568);
  CHECK(first_four + 14 * 14 * (fifth + heads) == 21297102848);
  CHECK(Network(config_of("vgg16")).multiply_adds(224, 224) == 43310317568);
  CHECK(Network(config_of("vgg16", 1, 1000, 16)).multiply_adds(224, 224) == 21297102848);

  // A picture that is not square, with sizes that do not divide: 33 x 20 -> 17 x 10 -> 9 x 5 -> 5 x 3. Width 1/64 of
  // vgg11: channels 1 2 4 4 8 8 8 8, heads 16.
  const std::int64_t small = 33 * 20 * 27 + 17 * 10 * 9 * 2 + 9 * 5 * (18 * 4 + 36 * 4) + 5 * 3 * (36 * 8 + 72 * 8) +
                             5 * 3 * (2 * 72 * 8) + 5 * 3 * 2 * (72 * 16 + 144 * 16 + 16 * 7);
  CHECK(Network(config_of("vgg11", 1.0 / 64, 7)).multiply_adds(33, 20) == small);
}

TEST_CASE(
    "maps are 28 x 28 or 14 x 14 at 224 pixels, and of every architecture an eighth or a sixteenth of the picture") {
  const NoGrad no_grad;
  for (const std::string& arch : known_architectures()) {
    INFO(arch);
    Network fine(config_of(arch, 1.0 / 64, 3)), coarse(config_of(arch, 1.0 / 64, 3, 16));
    const int pixels = arch == "vgg16" ? 224 : 64;
    const Variable picture(Tensor::zeros({1, pixels, pixels, 3}));
    for (Network* network : {&fine, &coarse}) {
      const int side = pixels / (network == &fine ? 8 : 16);
      const Variable features = network->features(picture);
      CHECK(features.shape() == Shape{1, side, side, 8});
      const Network::Branch a = network->branch_a(features);
      CHECK(a.maps.shape() == Shape{1, side, side, 3});
      CHECK(a.logits.shape() == Shape{1, 3});
      const Network::Branch b = network->branch_b(features, Tensor::zeros({1, side, side}));
      CHECK(b.maps.shape() == Shape{1, side, side, 3});
      CHECK(b.logits.shape() == Shape{1, 3});
    }
  }
}

TEST_CASE("parameters have torchvision's names, in torchvision's order") {
  CHECK(known_architectures().size() == convolution_numbers.size());
  for (const std::string& arch : known_architectures()) {
    INFO(arch);
    const bool batch_norm = arch.ends_with("_bn");
    std::vector<std::string> expected, expected_buffers;
    for (const int number : convolution_numbers.at(arch)) {
      const std::string conv = "features." + std::to_string(number), norm = "features." + std::to_string(number + 1);
      expected.insert(expected.end(), {conv + ".weight", conv + ".bias"});
      if (!batch_norm) continue;
      expected.insert(expected.end(), {norm + ".weight", norm + ".bias"});
      expected_buffers.insert(expected_buffers.end(), {norm + ".running_mean", norm + ".running_var"});
    }
    for (const char* head : {"classifier_a.", "classifier_b."})
      for (const char* layer : {"0", "2", "4"})
        for (const char* kind : {".weight", ".bias"}) expected.push_back(std::string(head) + layer + kind);

    const Network network(config_of(arch, 1.0 / 64));
    CHECK(names_of(network.parameters()) == expected);
    std::vector<std::string> buffers;
    for (const NamedBuffer& buffer : network.buffers()) buffers.push_back(buffer.name);
    CHECK(buffers == expected_buffers);
  }
}

TEST_CASE("trunks have torchvision's number of parameters") {
  const std::map<std::string, std::int64_t> expected{
      {"vgg11", 9220480},    {"vgg13", 9404992},    {"vgg16", 14714688},    {"vgg19", 20024384},
      {"vgg11_bn", 9225984}, {"vgg13_bn", 9410880}, {"vgg16_bn", 14723136}, {"vgg19_bn", 20035392}};
  for (const auto& [this_arch, parameters] : expected) {
    const auto& arch = this_arch;  // a message is a lambda, and Clang 14 captures no binding
    INFO(arch);
    CHECK(parameter_count(*make_vgg(config_of(arch))) == parameters);
  }
}

TEST_CASE("width scales every channel count but the picture's and the classes'") {
  CHECK(scaled_channels(64, 1.0 / 8) == 8);
  CHECK(scaled_channels(64, 3.0 / 128) == 2);  // 1.5, rounded up
  CHECK(scaled_channels(64, 0.02) == 1);       // 1.28
  CHECK(scaled_channels(64, 1e-6) == 1);       // never 0
  CHECK(scaled_channels(1024, 1.5) == 1536);
  CHECK(vgg_out_channels(config_of("vgg16", 0.25)) == 128);

  const Network network(config_of("vgg16", 1.0 / 8, 7));
  std::vector<Shape> filters;
  for (const NamedParameter& parameter : network.parameters())
    if (parameter.variable.shape().rank() == 4) filters.push_back(parameter.variable.shape());
  const std::vector<Shape> expected{{8, 3, 3, 3},    {8, 3, 3, 8},     {16, 3, 3, 8},    {16, 3, 3, 16},
                                    {32, 3, 3, 16},  {32, 3, 3, 32},   {32, 3, 3, 32},   {64, 3, 3, 32},
                                    {64, 3, 3, 64},  {64, 3, 3, 64},   {64, 3, 3, 64},   {64, 3, 3, 64},
                                    {64, 3, 3, 64},  {128, 3, 3, 64},  {128, 3, 3, 128}, {7, 1, 1, 128},
                                    {128, 3, 3, 64}, {128, 3, 3, 128}, {7, 1, 1, 128}};
  CHECK(filters == expected);
}

TEST_CASE("settings outside their range are refused by name") {
  const auto refused = [](auto change, const char* part) {
    NetworkConfig config;
    change(config);
    INFO(std::string(part));
    CHECK_THROWS_WITH_AS(validate(config), doctest::Contains(part), Error);
    CHECK_THROWS_AS(Network{config}, Error);
  };
  refused([](NetworkConfig& c) { c.arch = "vgg12"; }, "vgg12");
  refused([](NetworkConfig& c) { c.width = 0; }, "width");
  refused([](NetworkConfig& c) { c.width = 4.5; }, "width");
  refused([](NetworkConfig& c) { c.width = std::nan(""); }, "width");
  refused([](NetworkConfig& c) { c.map_stride = 32; }, "map stride");
  refused([](NetworkConfig& c) { c.classes = 0; }, "class");
  refused([](NetworkConfig& c) { c.erase_threshold = 1.01; }, "threshold");
  refused([](NetworkConfig& c) { c.erase_threshold = -0.01; }, "threshold");
  refused([](NetworkConfig& c) { c.erase_threshold = std::nan(""); }, "threshold");
  refused([](NetworkConfig& c) { c.dropout = 1; }, "dropout");
  CHECK_NOTHROW(validate(NetworkConfig{}));
  for (const Method method : {Method::cam, Method::acol}) CHECK(parse_method(name_of(method)) == method);
  for (const CamForm form : {CamForm::convolution, CamForm::fully_connected})
    CHECK(parse_cam_form(name_of(form)) == form);
  CHECK_THROWS_AS(parse_method("grad-cam"), Error);
  CHECK_THROWS_AS(parse_cam_form(""), Error);
}
