#include "acol/train/config.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tensor/check.h"

namespace acol {

namespace {

using Json = nlohmann::ordered_json;

// Walks the fields that a file holds, once for reading and once for writing, so that the two cannot differ.
template <class Field>
void for_each_field(TrainConfig& c, const Field& field) {
  field("arch", c.network.arch);
  field("width", c.network.width);
  field("map_stride", c.network.map_stride);
  field("classes", c.network.classes);
  field("erase_threshold", c.network.erase_threshold);
  field("dropout", c.network.dropout);
  field("resize", c.preprocessing.resize);
  field("crop", c.preprocessing.crop);
  field("flip", c.preprocessing.flip);
  field("mean", c.preprocessing.mean);
  field("std", c.preprocessing.std);
  field("epochs", c.epochs);
  field("batch_size", c.batch_size);
  field("micro_batch", c.micro_batch);
  field("lr", c.rate);
  field("bias_lr_factor", c.bias_rate_factor);
  field("head_lr_factor", c.head_rate_factor);
  field("momentum", c.momentum);
  field("nesterov", c.nesterov);
  field("weight_decay", c.weight_decay);
  field("decay_epochs", c.decay_epochs);
  field("decay_factor", c.decay_factor);
  field("poly_power", c.poly_power);
  field("warmup_epochs", c.warmup_epochs);
  field("clip_norm", c.clip_norm);
  field("erase_after", c.erase_after);
  field("seed", c.seed);
}

// Reads one value, or says what it should have been. nlohmann's own conversions are too kind for settings: they cut 6.5
// to 6, take true for 1 and wrap -1 around to a seed.
const char* read(const Json& json, std::string& value) {
  if (!json.is_string()) return "a text";
  json.get_to(value);
  return nullptr;
}

const char* read(const Json& json, bool& value) {
  if (!json.is_boolean()) return "true or false";
  json.get_to(value);
  return nullptr;
}

const char* read(const Json& json, double& value) {
  if (!json.is_number()) return "a number";
  json.get_to(value);
  return nullptr;
}

const char* read(const Json& json, int& value) {
  constexpr auto low = std::numeric_limits<int>::min(), high = std::numeric_limits<int>::max();
  if (!json.is_number_integer()) return "a whole number";
  const bool fits = json.is_number_unsigned() ? json.get<std::uint64_t>() <= std::uint64_t{high} : json >= low;
  if (!fits) return "a whole number of 32 bits";
  json.get_to(value);
  return nullptr;
}

const char* read(const Json& json, std::uint64_t& value) {
  if (!json.is_number_unsigned()) return "a whole number, 0 or more, of 64 bits";
  json.get_to(value);
  return nullptr;
}

const char* read(const Json& json, std::array<float, 3>& values) {
  if (!json.is_array() || json.size() != values.size()) return "three numbers";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!json[i].is_number()) return "three numbers";
    json[i].get_to(values[i]);
  }
  return nullptr;
}

const char* read(const Json& json, std::vector<int>& values) {
  if (!json.is_array()) return "a list of whole numbers";
  values.assign(json.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (read(json[i], values[i]) != nullptr) return "a list of whole numbers";
  return nullptr;
}

}  // namespace

const char* name_of(EraseLabel label) { return label == EraseLabel::truth ? "truth" : "predicted"; }
const char* name_of(Preset preset) { return preset == Preset::paper ? "paper" : "scratch"; }
const char* name_of(Initialiser kind) { return kind == Initialiser::xavier ? "xavier" : "he"; }
const char* name_of(ResizeMode mode) { return mode == ResizeMode::warp ? "warp" : "shorter"; }

EraseLabel parse_erase_label(const std::string& name) {
  for (const EraseLabel label : {EraseLabel::truth, EraseLabel::predicted})
    if (name == name_of(label)) return label;
  fail("unknown erase label '", name, "': truth or predicted");
}

Preset parse_preset(const std::string& name) {
  for (const Preset preset : {Preset::paper, Preset::scratch})
    if (name == name_of(preset)) return preset;
  fail("unknown preset '", name, "': paper or scratch");
}

Initialiser parse_initialiser(const std::string& name) {
  for (const Initialiser kind : {Initialiser::xavier, Initialiser::he})
    if (name == name_of(kind)) return kind;
  fail("unknown initialiser '", name, "': xavier or he");
}

ResizeMode parse_resize_mode(const std::string& name) {
  for (const ResizeMode mode : {ResizeMode::shorter_side, ResizeMode::warp})
    if (name == name_of(mode)) return mode;
  fail("unknown resize mode '", name, "': shorter or warp");
}

TrainConfig preset_config(Preset preset) {
  TrainConfig config;
  config.preset = preset;
  if (preset == Preset::paper) return config;
  config.initialiser = Initialiser::he;
  config.epochs = 30;
  config.batch_size = 32;
  config.rate = 0.02;
  config.bias_rate_factor = 1;
  config.head_rate_factor = 1;
  config.schedule = ScheduleKind::cosine;
  config.warmup_epochs = 1;
  config.clip_norm = 5;
  return config;
}

void validate(const TrainConfig& config) {
  validate(config.network);
  validate(config.preprocessing);
  const auto positive = [](const char* name, double value) {
    check(value > 0 && std::isfinite(value), "train: ", name, " must be a positive number, got ", value);
  };
  const auto not_negative = [](const char* name, double value) {
    check(value >= 0 && std::isfinite(value), "train: ", name, " must be 0 or a positive number, got ", value);
  };
  check(config.epochs >= 1, "train: epochs must be at least 1, got ", config.epochs);
  check(config.batch_size >= 1, "train: batch size must be at least 1, got ", config.batch_size);
  check(config.micro_batch >= 0, "train: micro batch must be 0 or more, got ", config.micro_batch);
  positive("lr", config.rate);
  not_negative("bias lr factor", config.bias_rate_factor);
  not_negative("head lr factor", config.head_rate_factor);
  check(config.momentum >= 0 && config.momentum < 1, "train: momentum must be in [0, 1), got ", config.momentum);
  not_negative("weight decay", config.weight_decay);
  positive("decay factor", config.decay_factor);
  positive("poly power", config.poly_power);
  not_negative("warm-up epochs", config.warmup_epochs);
  check(config.warmup_epochs <= config.epochs, "train: warm-up of ", config.warmup_epochs,
        " epochs is longer than the ", config.epochs, " epochs of training");
  not_negative("clip norm", config.clip_norm);
  check(config.erase_after >= 0, "train: erase-after must be 0 or more epochs, got ", config.erase_after);
  for (std::size_t i = 0; i < config.decay_epochs.size(); ++i)
    check(config.decay_epochs[i] >= 1 && (i == 0 || config.decay_epochs[i] > config.decay_epochs[i - 1]),
          "train: decay epochs must be positive and ascending");
  check(config.decay_epochs.empty() || config.decay_epochs[0] >= config.warmup_epochs, "train: the first of the decay ",
        "epochs, ", config.decay_epochs.empty() ? 0 : config.decay_epochs[0], ", lies inside the warm-up of ",
        config.warmup_epochs, " epochs");
}

std::string to_json(const TrainConfig& config, int indent) {
  Json json;
  json["preset"] = name_of(config.preset);
  json["method"] = name_of(config.network.method);
  json["cam_form"] = name_of(config.network.cam_form);
  json["init"] = name_of(config.initialiser);
  json["resize_mode"] = name_of(config.preprocessing.resize_mode);
  json["schedule"] = schedule_kind_name(config.schedule);
  json["erase_label"] = name_of(config.erase_label);
  TrainConfig copy = config;
  for_each_field(copy, [&](const char* name, const auto& value) { json[name] = value; });
  return json.dump(indent);
}

TrainConfig train_config_from_json(const std::string& text) {
  TrainConfig config;
  try {
    const Json json = Json::parse(text), known = Json::parse(to_json(config));
    check(json.is_object(), "training configuration: expected a JSON object");
    for (const auto& [key, value] : json.items())
      check(known.contains(key), "training configuration: unknown setting '", key, "'");
    const auto setting = [&](const char* key, auto& value) {
      if (!json.contains(key)) return;
      const char* expected = read(json.at(key), value);
      check(expected == nullptr, "training configuration: ", key, " must be ", expected ? expected : "", ", got ",
            json.at(key).dump());
    };
    const auto name = [&](const char* key, const auto& parse, auto& value) {
      if (!json.contains(key)) return;
      std::string written;
      setting(key, written);
      value = parse(written);
    };
    name("preset", parse_preset, config.preset);
    name("method", parse_method, config.network.method);
    name("cam_form", parse_cam_form, config.network.cam_form);
    name("init", parse_initialiser, config.initialiser);
    name("resize_mode", parse_resize_mode, config.preprocessing.resize_mode);
    name("schedule", parse_schedule_kind, config.schedule);
    name("erase_label", parse_erase_label, config.erase_label);
    for_each_field(config, setting);
  } catch (const Json::exception& error) {
    fail("training configuration: ", error.what());
  }
  return config;
}

}  // namespace acol
