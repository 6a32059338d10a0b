#include "acol/train/model.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

constexpr int format_version = 1;

bool is_filter(const Tensor& tensor) { return tensor.shape().rank() == 4; }

// The part of a model that is not numbers, from a file's metadata.
Model card_from(const std::map<std::string, std::string>& metadata, const fs::path& path) {
  const auto entry = metadata.find("acol_model");
  check(entry != metadata.end(), path.string(),
        " is no acol model: it has no acol_model entry; for a plain weight file use ", "acol train --weights");
  Model model;
  try {
    const Json json = Json::parse(entry->second);
    const int version = json.at("version").get<int>();
    check(version == format_version, "model format ", version, ", this program reads ", format_version);
    model.class_ids = json.at("class_ids").get<std::vector<std::string>>();
    model.class_names = json.at("class_names").get<std::vector<std::string>>();
    model.config = train_config_from_json(json.at("config").dump());
  } catch (const Json::exception& error) {
    fail(path.string(), ": damaged acol_model entry: ", error.what());
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
  check(!model.class_ids.empty() && model.class_ids.size() == model.class_names.size() &&
            static_cast<int>(model.class_ids.size()) == model.config.network.classes,
        path.string(), ": the model has ", model.config.network.classes, " outputs but names ", model.class_ids.size(),
        "/", model.class_names.size(), " classes");
  if (const auto training = metadata.find("acol_training"); training != metadata.end())
    model.training = training->second;
  return model;
}

// Names the file in whatever goes wrong with a configuration that came out of it.
void validate_from(const Model& model, const fs::path& path) {
  try {
    validate(model.config.network);
    validate(model.config.preprocessing);
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
}

std::vector<std::int64_t> shape_in_file(const Tensor& tensor) {
  const Shape& s = tensor.shape();
  if (is_filter(tensor)) return {s[0], s[3], s[1], s[2]};
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < s.rank(); ++axis) extents.push_back(s[axis]);
  return extents;
}

// BGR to RGB and back: the first input channel of a filter (O, R, S, 3) changes places with the last.
void flip_channels(Tensor& filter) {
  const int channels = filter.shape().back();
  for (std::int64_t pixel = 0; pixel < filter.shape().rows(); ++pixel) {
    float* const at = filter.f32() + pixel * channels;
    std::reverse(at, at + channels);
  }
}

// Assigns a file's tensor, filters turned; the shapes must agree.
void assign(Tensor& to, const SafetensorsReader& file, const std::string& name) {
  const Shape& shape = to.shape();
  const Shape wanted = is_filter(to) ? Shape{shape[0], shape[3], shape[1], shape[2]} : shape;
  check(file.shape(name) == wanted, file.path().string(), ": tensor ", name, " has shape ", file.shape(name).str(),
        ", the network wants ", wanted.str());
  if (is_filter(to))
    file.read_filter_into(name, to);
  else
    file.read_into(name, to);
}

}  // namespace

Model make_model(TrainConfig config, std::vector<std::string> class_ids, std::vector<std::string> class_names) {
  Model model;
  config.network.classes = static_cast<int>(class_ids.size());
  model.config = std::move(config);
  model.class_ids = std::move(class_ids);
  model.class_names = std::move(class_names);
  model.network = std::make_shared<Network>(model.config.network);
  model.network->initialise(model.config.initialiser, model.config.seed);
  return model;
}

Model read_model_card(const fs::path& path) { return read_model_card(read_safetensors_metadata(path), path); }

Model read_model_card(const std::map<std::string, std::string>& metadata, const fs::path& path) {
  Model model = card_from(metadata, path);
  validate_from(model, path);
  return model;
}

Model load_model(const fs::path& path) { return model_from_file(SafetensorsReader(path)); }

Model model_from_file(const SafetensorsReader& file) {
  Model model = read_model_card(file.metadata(), file.path());
  model.network = std::make_shared<Network>(model.config.network);
  restore_network(*model.network, file);
  model.network->set_training(false);
  return model;
}

SafetensorsFile model_file(const Model& model) {
  SafetensorsFile file;
  for (const NamedParameter& parameter : model.network->parameters()) {
    const Tensor& value = parameter.variable.value();
    file.tensors[parameter.name] = is_filter(value) ? filter_to_file(value) : value;
  }
  for (const NamedBuffer& buffer : model.network->buffers()) file.tensors[buffer.name] = buffer.tensor;
  Json json;
  json["version"] = format_version;
  json["config"] = Json::parse(to_json(model.config));
  json["class_ids"] = model.class_ids;
  json["class_names"] = model.class_names;
  file.metadata["acol_model"] = json.dump();
  file.metadata["acol_training"] = model.training;
  return file;
}

void restore_network(Network& network, const SafetensorsReader& file) {
  for (NamedParameter& parameter : network.parameters()) assign(parameter.variable.value(), file, parameter.name);
  for (NamedBuffer& buffer : network.buffers()) assign(buffer.tensor, file, buffer.name);
}

WeightsReport load_pretrained(Network& network, const fs::path& path, WeightsPreprocessing trained_on) {
  return load_pretrained(network, WeightFile(path), trained_on);
}

WeightsReport load_pretrained(Network& network, const WeightFile& file, WeightsPreprocessing trained_on) {
  const std::string& arch = network.config().arch;
  const WeightMatch match = match_weights(file, arch);
  WeightsReport report;
  report.names = describe(match.names);
  report.notes = file.notes();
  if (match.names == WeightNames::caffe && trained_on != WeightsPreprocessing::caffe)
    report.notes.push_back("these look like Caffe's weights, trained on BGR: --weights-preprocessing caffe");
  std::set<std::string> used;  // names of the file
  const auto load = [&](const std::string& name, Tensor& tensor) {
    const bool trunk = name.starts_with("features.");
    const auto found = match.file_name.find(name);
    if (found == match.file_name.end()) {
      check(!trunk || !is_filter(tensor), file.path().string(), ": no tensor ", name, ", which ", arch, " needs",
            match.trunk_problem.empty() ? "" : ": the file ", match.trunk_problem);
      report.kept.push_back(name);
      return;
    }
    const std::vector<std::int64_t>& has = file.find(found->second)->shape;
    const std::vector<std::int64_t> wanted = shape_in_file(tensor);
    if (!trunk && has != wanted) {  // a head for other classes is as good as none
      report.kept.push_back(name);
      return;
    }
    if (is_filter(tensor))
      file.read_filter_into(found->second, tensor);
    else
      file.read_into(found->second, tensor);
    report.loaded.push_back(name);
    used.insert(found->second);
    if (name == "features.0.weight" && trained_on == WeightsPreprocessing::caffe) tensor.change_on_host(flip_channels);
  };
  for (NamedParameter& parameter : network.parameters()) load(parameter.name, parameter.variable.value());
  for (NamedBuffer& buffer : network.buffers()) load(buffer.name, buffer.tensor);
  for (const WeightEntry& entry : file.entries())
    if (entry.readable() && !used.contains(entry.name)) report.ignored.push_back(entry.name);
  std::sort(report.ignored.begin(), report.ignored.end());
  return report;
}

}  // namespace acol
