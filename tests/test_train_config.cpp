// The settings of a training run: as JSON and back, what is refused, and the two presets.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "acol/train/config.h"
#include "acol/train/trainer.h"
#include "tensor/check.h"
#include "tests/small_network.h"

using namespace acol;
using Json = nlohmann::json;

namespace {

// Every field another than its default.
TrainConfig all_changed() {
  TrainConfig c;
  c.network.method = Method::cam;
  c.network.arch = "vgg19_bn";
  c.network.width = 0.1;
  c.network.map_stride = 16;
  c.network.classes = 7;
  c.network.erase_threshold = 0.75;
  c.network.dropout = 0.3;
  c.network.cam_form = CamForm::fully_connected;
  c.preprocessing.resize = 300;
  c.preprocessing.crop = 200;
  c.preprocessing.resize_mode = ResizeMode::warp;
  c.preprocessing.flip = false;
  c.preprocessing.mean = {0.1f, 0.2f, 0.3f};
  c.preprocessing.std = {0.4f, 0.5f, 0.6f};
  c.preset = Preset::scratch;
  c.initialiser = Initialiser::he;
  c.epochs = 11;
  c.batch_size = 13;
  c.micro_batch = 4;
  c.rate = 1.0 / 3;
  c.bias_rate_factor = 1.5;
  c.head_rate_factor = 2.5;
  c.momentum = 0.1;
  c.nesterov = false;
  c.weight_decay = 1e-7;
  c.schedule = ScheduleKind::step;
  c.decay_epochs = {3, 9};
  c.decay_factor = 0.7;
  c.poly_power = 2;
  c.warmup_epochs = 1.25;
  c.clip_norm = 3.5;
  c.erase_after = 4;
  c.erase_label = EraseLabel::predicted;
  c.seed = std::numeric_limits<std::uint64_t>::max();
  return c;
}

void check_refused(const std::string& json, const std::string& part) {
  CAPTURE(json);
  CHECK_THROWS_WITH_AS(train_config_from_json(json), doctest::Contains(part.c_str()), Error);
}

}  // namespace

TEST_CASE("every setting survives the way to JSON and back") {
  const TrainConfig config = all_changed();
  const Json changed = Json::parse(to_json(config)), defaults = Json::parse(to_json(TrainConfig{}));
  CHECK(changed.size() == 34);
  CHECK(defaults.size() == 34);
  for (const auto& [this_key, value] : changed.items()) {
    const auto& key = this_key;  // a message is a lambda, and Clang 14 captures no binding
    CAPTURE(key);                // a setting that this test forgot to change
    CHECK(value != defaults.at(key));
  }

  const TrainConfig back = train_config_from_json(to_json(config));
  CHECK(to_json(back) == to_json(config));
  CHECK(back.network == config.network);
  CHECK(back.preprocessing == config.preprocessing);
  CHECK(back.preset == config.preset);
  CHECK(back.initialiser == config.initialiser);
  CHECK(back.epochs == config.epochs);
  CHECK(back.batch_size == config.batch_size);
  CHECK(back.micro_batch == config.micro_batch);
  CHECK(back.rate == config.rate);
  CHECK(back.bias_rate_factor == config.bias_rate_factor);
  CHECK(back.head_rate_factor == config.head_rate_factor);
  CHECK(back.momentum == config.momentum);
  CHECK(back.nesterov == config.nesterov);
  CHECK(back.weight_decay == config.weight_decay);
  CHECK(back.schedule == config.schedule);
  CHECK(back.decay_epochs == config.decay_epochs);
  CHECK(back.decay_factor == config.decay_factor);
  CHECK(back.poly_power == config.poly_power);
  CHECK(back.warmup_epochs == config.warmup_epochs);
  CHECK(back.clip_norm == config.clip_norm);
  CHECK(back.erase_after == config.erase_after);
  CHECK(back.erase_label == config.erase_label);
  CHECK(back.seed == config.seed);

  // Each key alone changes its own setting and nothing else.
  for (const auto& [this_key, value] : changed.items()) {
    const auto& key = this_key;  // a message is a lambda, and Clang 14 captures no binding
    CAPTURE(key);
    Json expected = defaults;
    expected[key] = value;
    CHECK(Json::parse(to_json(train_config_from_json(Json{{key, value}}.dump()))) == expected);
  }
  CHECK(to_json(train_config_from_json("{}")) == to_json(TrainConfig{}));
  CHECK(to_json(config, 2).find("\n  \"epochs\": 11,\n") != std::string::npos);
}

TEST_CASE("unknown names are errors, of settings and of their values") {
  check_refused(R"({"epoch": 3})", "epoch");
  check_refused(R"({"epochs": 3, "learning_rate": 0.1})", "learning_rate");
  check_refused(R"({"preset": "paperr"})", "paperr");
  check_refused(R"({"method": "spg"})", "spg");
  check_refused(R"({"cam_form": "linear"})", "linear");
  check_refused(R"({"init": "lecun"})", "lecun");
  check_refused(R"({"resize_mode": "longer"})", "longer");
  check_refused(R"({"schedule": "exponential"})", "exponential");
  check_refused(R"({"erase_label": "Truth"})", "Truth");
  CHECK_THROWS_WITH_AS(parse_preset(""), doctest::Contains("paper or scratch"), Error);
  CHECK_THROWS_WITH_AS(parse_erase_label("guess"), doctest::Contains("truth or predicted"), Error);
  CHECK_THROWS_WITH_AS(parse_initialiser("He"), doctest::Contains("xavier or he"), Error);
  CHECK_THROWS_WITH_AS(parse_resize_mode("fit"), doctest::Contains("shorter or warp"), Error);
  for (const Preset one : {Preset::paper, Preset::scratch}) CHECK(parse_preset(name_of(one)) == one);
  for (const EraseLabel one : {EraseLabel::truth, EraseLabel::predicted}) CHECK(parse_erase_label(name_of(one)) == one);
  for (const Initialiser one : {Initialiser::xavier, Initialiser::he}) CHECK(parse_initialiser(name_of(one)) == one);
  for (const ResizeMode one : {ResizeMode::shorter_side, ResizeMode::warp})
    CHECK(parse_resize_mode(name_of(one)) == one);
}

TEST_CASE("wrong types are errors that name the setting, not other values in silence") {
  for (const char* value : {"6.5", "\"6\"", "true", "null", "[6]", "{}", "3000000000", "-3000000000", "1e3"})
    check_refused(message("{\"epochs\": ", value, "}"), "epochs");
  for (const char* value : {"-1", "1.5", "\"1\"", "false", "18446744073709551616"})
    check_refused(message("{\"seed\": ", value, "}"), "seed");
  for (const char* value : {"\"fast\"", "true", "null", "[0.1]"}) check_refused(message("{\"lr\": ", value, "}"), "lr");
  for (const char* value : {"1", "0.0", "\"true\"", "null"})
    for (const char* key : {"nesterov", "flip"}) check_refused(message("{\"", key, "\": ", value, "}"), key);
  for (const char* value : {"0.5", "[0.1, 0.2]", "[0.1, 0.2, 0.3, 0.4]", "[0.1, 0.2, \"0.3\"]", "[0.1, 0.2, true]"})
    for (const char* key : {"mean", "std"}) check_refused(message("{\"", key, "\": ", value, "}"), key);
  for (const char* value : {"3", "[1.5]", "[\"1\"]", "{\"1\": 2}", "null"})
    check_refused(message("{\"decay_epochs\": ", value, "}"), "decay_epochs");
  for (const char* key : {"arch", "preset", "method", "cam_form", "init", "resize_mode", "schedule", "erase_label"})
    for (const char* value : {"16", "null", "[\"paper\"]"}) check_refused(message("{\"", key, "\": ", value, "}"), key);
  check_refused("[]", "object");
  check_refused("3", "object");
  check_refused("", "training configuration");
  check_refused(R"({"epochs": 3)", "training configuration");
  CHECK(train_config_from_json(R"({"lr": 1})").rate == 1);  // a whole number is a number
  CHECK(train_config_from_json(R"({"decay_epochs": []})").decay_epochs.empty());
}

TEST_CASE("validate names each setting outside its range") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  using Change = std::function<void(TrainConfig&)>;
  const auto refused = [](const std::string& part, const Change& change) {
    CAPTURE(part);
    TrainConfig config;
    change(config);
    CHECK_THROWS_WITH_AS(validate(config), doctest::Contains(part.c_str()), Error);
  };
  for (const double bad : {-0.01, 1.01, nan, infinite}) {
    CAPTURE(bad);
    refused("erase threshold", [&](auto& c) { c.network.erase_threshold = bad; });
    refused("momentum", [&](auto& c) { c.momentum = bad; });
    refused("dropout", [&](auto& c) { c.network.dropout = bad; });
  }
  refused("momentum", [](auto& c) { c.momentum = 1; });
  refused("dropout", [](auto& c) { c.network.dropout = 1; });
  for (const double bad : {-1.0, nan, infinite}) {
    CAPTURE(bad);
    refused("lr", [&](auto& c) { c.rate = bad; });
    refused("bias lr factor", [&](auto& c) { c.bias_rate_factor = bad; });
    refused("head lr factor", [&](auto& c) { c.head_rate_factor = bad; });
    refused("weight decay", [&](auto& c) { c.weight_decay = bad; });
    refused("decay factor", [&](auto& c) { c.decay_factor = bad; });
    refused("poly power", [&](auto& c) { c.poly_power = bad; });
    refused("warm-up", [&](auto& c) { c.warmup_epochs = bad; });
    refused("clip norm", [&](auto& c) { c.clip_norm = bad; });
    refused("width", [&](auto& c) { c.network.width = bad; });
  }
  refused("lr", [](auto& c) { c.rate = 0; });
  refused("decay factor", [](auto& c) { c.decay_factor = 0; });
  refused("poly power", [](auto& c) { c.poly_power = 0; });
  refused("warm-up of 6.5 epochs is longer", [](auto& c) { c.warmup_epochs = 6.5; });
  refused("epochs", [](auto& c) { c.epochs = 0; });
  refused("batch size", [](auto& c) { c.batch_size = 0; });
  refused("micro batch", [](auto& c) { c.micro_batch = -1; });
  refused("erase-after", [](auto& c) { c.erase_after = -1; });
  refused("decay epochs", [](auto& c) { c.decay_epochs = {0}; });
  refused("decay epochs", [](auto& c) { c.decay_epochs = {3, 3}; });
  refused("decay epochs", [](auto& c) { c.decay_epochs = {4, 2}; });
  refused("warm-up", [](auto& c) {
    c.warmup_epochs = 2;
    c.decay_epochs = {1};
  });
  refused("architecture", [](auto& c) { c.network.arch = "vgg12"; });
  refused("map stride", [](auto& c) { c.network.map_stride = 4; });
  refused("crop", [](auto& c) { c.preprocessing.crop = 0; });
  refused("resize", [](auto& c) { c.preprocessing.resize = 223; });
  refused("std", [](auto& c) { c.preprocessing.std[1] = 0; });
  refused("mean", [&](auto& c) { c.preprocessing.mean[2] = static_cast<float>(nan); });

  TrainConfig limits;  // the ends of the ranges are inside
  limits.network.erase_threshold = 1;
  limits.momentum = 0;
  limits.weight_decay = 0;
  limits.bias_rate_factor = 0;
  limits.warmup_epochs = limits.epochs;
  CHECK_NOTHROW(validate(limits));
  limits.network.erase_threshold = 0;
  CHECK_NOTHROW(validate(limits));
  CHECK_NOTHROW(validate(all_changed()));
}

TEST_CASE("the preset `paper` is the official code's recipe, `scratch` changes what random weights need") {
  const TrainConfig paper = preset_config(Preset::paper), scratch = preset_config(Preset::scratch);
  CHECK_NOTHROW(validate(paper));
  CHECK_NOTHROW(validate(scratch));
  CHECK(to_json(paper) == to_json(TrainConfig{}));

  CHECK(paper.network.method == Method::acol);
  CHECK(paper.network.arch == "vgg16");
  CHECK(paper.network.width == 1);
  CHECK(paper.network.map_stride == 8);
  CHECK(paper.network.erase_threshold == 0.6);
  CHECK(paper.network.dropout == 0);
  CHECK(paper.preprocessing ==
        Preprocessing{256, 224, ResizeMode::shorter_side, true, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}});
  CHECK(paper.preset == Preset::paper);
  CHECK(paper.initialiser == Initialiser::xavier);
  CHECK(paper.epochs == 6);
  CHECK(paper.batch_size == 20);
  CHECK(paper.micro_batch == 0);
  CHECK(paper.rate == 1e-4);
  CHECK(paper.bias_rate_factor == 2);
  CHECK(paper.head_rate_factor == 10);
  CHECK(paper.momentum == 0.9);
  CHECK(paper.nesterov);
  CHECK(paper.weight_decay == 5e-4);
  CHECK(paper.schedule == ScheduleKind::constant);
  CHECK(paper.decay_epochs.empty());
  CHECK(paper.warmup_epochs == 0);
  CHECK(paper.clip_norm == 0);
  CHECK(paper.erase_after == 0);
  CHECK(paper.erase_label == EraseLabel::truth);

  CHECK(scratch.preset == Preset::scratch);
  CHECK(scratch.initialiser == Initialiser::he);
  CHECK(scratch.bias_rate_factor == 1);
  CHECK(scratch.head_rate_factor == 1);
  CHECK(scratch.warmup_epochs > 0);
  CHECK(scratch.clip_norm > 0);
  CHECK(scratch.network == paper.network);
  CHECK(scratch.preprocessing == paper.preprocessing);
  CHECK(scratch.momentum == paper.momentum);
  CHECK(scratch.nesterov == paper.nesterov);
  CHECK(scratch.weight_decay == paper.weight_decay);
  CHECK(scratch.erase_after == 0);
  CHECK(scratch.erase_label == EraseLabel::truth);
}

TEST_CASE("parameter groups: every parameter once, rates x1 x2 x10 x20, decay on all") {
  for (const char* arch : {"vgg11", "vgg11_bn"}) {
    CAPTURE(arch);
    const Network network(testing::small_config(arch));
    const std::vector<ParameterGroup> groups = parameter_groups(network, preset_config(Preset::paper));
    REQUIRE(groups.size() == 4);
    std::set<std::string> names;
    for (const ParameterGroup& group : groups) {
      CHECK(group.weight_decay == 5e-4);
      CHECK_FALSE(group.parameters.empty());
      for (const NamedParameter& parameter : group.parameters) {
        CAPTURE(parameter.name);
        CHECK(names.insert(parameter.name).second);
        const double head = parameter.name.starts_with("classifier_") ? 10 : 1;
        const double bias = parameter.name.ends_with(".bias") ? 2 : 1;
        CHECK(group.rate_factor == head * bias);
      }
    }
    CHECK(names.size() == network.parameters().size());
  }
}
