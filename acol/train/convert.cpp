#include "acol/train/convert.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "acol/weights/pth.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

bool is_wordnet_id(const std::string& word) {
  return word.size() == 9 && word[0] == 'n' &&
         std::all_of(word.begin() + 1, word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Model described_by(const WeightFile& file, const ConvertOptions& options) {
  if (has_model_card(file)) return read_model_card(file.metadata(), file.path());
  Model model;
  NetworkConfig& net = model.config.network;
  net = network_of(file, options.arch);
  if (options.width) net.width = *options.width;
  net.map_stride = options.map_stride;
  net.erase_threshold = options.erase_threshold;
  model.config.preprocessing = options.preprocessing;
  use_preprocessing(options.trained_on, model.config.preprocessing);
  model.class_ids = options.class_ids;
  model.class_names = options.class_names;
  if (model.class_ids.empty())
    for (int label = 0; label < net.classes; ++label) model.class_ids.push_back(std::to_string(label));
  if (model.class_names.empty()) model.class_names = model.class_ids;
  check(static_cast<int>(model.class_ids.size()) == net.classes && model.class_names.size() == model.class_ids.size(),
        file.path().string(), ": has ", net.classes, " classes, but ", model.class_ids.size(), " are named");
  validate(model.config);
  return model;
}

}  // namespace

bool has_model_card(const WeightFile& file) { return file.metadata().contains("acol_model"); }

Model model_from_weights(const WeightFile& file, const ConvertOptions& options) {
  Model model = described_by(file, options);
  model.network = std::make_shared<Network>(model.config.network);
  const WeightsReport report = load_pretrained(
      *model.network, file, has_model_card(file) ? WeightsPreprocessing::torchvision : options.trained_on);
  if (!report.kept.empty()) {
    const std::string& ours = report.kept.front();
    const WeightMatch match = match_weights(file, model.config.network.arch);
    const auto theirs = match.file_name.find(ours);
    for (const NamedParameter& parameter : model.network->parameters())
      if (parameter.name == ours && theirs != match.file_name.end())
        fail(file.path().string(), ": tensor ", theirs->second, " of shape ", file.find(theirs->second)->shape_text(),
             " does not fit a network of width ", model.config.network.width);
    fail(file.path().string(), ": no tensor for ", ours, " (names: ", report.names, ")");
  }
  model.network->set_training(false);
  return model;
}

std::vector<std::string> write_model_as_pth(const fs::path& path, const Model& model, WeightNames names) {
  const SafetensorsFile content = model_file(model);
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::vector<std::string> left_out;
  const auto add = [&](const std::string& ours) {
    const std::string theirs = renamed(ours, names);
    if (theirs.empty())
      left_out.push_back(ours);
    else
      tensors.emplace_back(theirs, content.tensors.at(ours));
  };
  for (const NamedParameter& parameter : model.network->parameters()) add(parameter.name);
  for (const NamedBuffer& buffer : model.network->buffers()) add(buffer.name);
  std::map<std::string, std::string> records;
  if (left_out.empty())
    records = {{pth_model_record, content.metadata.at("acol_model")},
               {pth_training_record, content.metadata.at("acol_training")}};
  write_pth(path, tensors, records);
  return left_out;
}

void read_class_list(const fs::path& path, std::vector<std::string>& ids, std::vector<std::string>& names) {
  std::istringstream lines(read_file(path));
  std::set<std::string> seen;
  ids.clear();
  names.clear();
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    const std::string where = path.string() + ", line " + std::to_string(ids.size() + 1) + ": ";
    std::size_t split = line.find('\t');
    if (split == std::string::npos && is_wordnet_id(line.substr(0, line.find(' ')))) split = line.find(' ');
    const std::string id = line.substr(0, split);
    check(!id.empty(), where, "a class without an id");
    check(seen.insert(id).second, where, "the class ", id, " is there twice");
    ids.push_back(id);
    names.push_back(split == std::string::npos ? id : line.substr(split + 1));
  }
  check(!ids.empty(), path.string(), ": no class in it; one a line is expected");
}

}  // namespace acol
