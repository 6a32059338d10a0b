#include "acol/weights/weight_names.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "acol/network/network.h"
#include "tensor/check.h"

namespace acol {

namespace {

// A numbered layer under a prefix: features.N.*.
struct Layer {
  int number = 0;
  bool filter = false;  // a convolution; else batch norm
  const WeightEntry* weight = nullptr;
};

std::string layer_name(const std::string& prefix, int number) { return prefix + "." + std::to_string(number); }

// The layers `prefix`.N.weight in the order of N.
std::vector<Layer> layers_under(const WeightFile& file, const std::string& prefix) {
  std::vector<Layer> layers;
  const std::string start = prefix + ".", end = ".weight";
  for (const WeightEntry& entry : file.entries()) {
    if (!entry.name.starts_with(start) || !entry.name.ends_with(end)) continue;
    const char* const first = entry.name.data() + start.size();
    const char* const last = entry.name.data() + entry.name.size() - end.size();
    int number = 0;
    const auto [stop, error] = std::from_chars(first, last, number);
    // As layer_name() writes it, so that no "04" passes for the 4 that is there, too.
    if (error != std::errc() || stop != last || number < 0 || entry.name != layer_name(prefix, number) + end) continue;
    if (entry.shape.size() == 4 || entry.shape.size() == 1) layers.push_back({number, entry.shape.size() == 4, &entry});
  }
  std::sort(layers.begin(), layers.end(), [](const Layer& a, const Layer& b) { return a.number < b.number; });
  return layers;
}

std::vector<Layer> filters_under(const WeightFile& file, const std::string& prefix) {
  std::vector<Layer> layers = layers_under(file, prefix);
  std::erase_if(layers, [](const Layer& layer) { return !layer.filter; });
  return layers;
}

// Our trunk's layers, by the numbers of torchvision.
std::vector<Layer> own_trunk(const std::string& arch) {
  NetworkConfig config;
  config.arch = arch;
  config.method = Method::cam;
  config.width = 1.0 / 512;  // no numbers to speak of: names alone are wanted
  config.classes = 1;
  std::vector<Layer> layers;
  for (const NamedParameter& parameter : Network(config).parameters())
    if (parameter.name.starts_with("features.") && parameter.name.ends_with(".weight"))
      layers.push_back({std::stoi(parameter.name.substr(9)), parameter.variable.shape().rank() == 4, nullptr});
  return layers;
}

bool has_layers(const WeightFile& file, const std::string& prefix) { return !filters_under(file, prefix).empty(); }

bool is_matrix(const WeightFile& file, const std::string& name) {
  const WeightEntry* entry = file.find(name);
  return entry != nullptr && entry->shape.size() == 2;
}

WeightNames names_in(const WeightFile& file) {
  if (has_layers(file, "classifier_a")) return WeightNames::acol;
  if (has_layers(file, "cls")) return WeightNames::official;
  if (has_layers(file, "classifier_A")) return WeightNames::hal_or_wsol;
  if (!has_layers(file, "features")) return WeightNames::unknown;
  if (file.find("conv6.weight") != nullptr) return WeightNames::wsol_cam;
  if (file.find("pre_logits.fc1.weight") != nullptr || file.find("head.fc.weight") != nullptr) return WeightNames::timm;
  if (is_matrix(file, "classifier.1.weight") && is_matrix(file, "classifier.4.weight")) return WeightNames::caffe;
  return WeightNames::torchvision;
}

// Prefixes of classifiers A and B.
std::pair<std::string, std::string> heads_of(WeightNames names) {
  switch (names) {
    case WeightNames::acol:
      return {"classifier_a", "classifier_b"};
    case WeightNames::official:
      return {"cls", "cls_erase"};
    case WeightNames::hal_or_wsol:
      return {"classifier_A", "classifier_B"};
    default:
      return {"", ""};
  }
}

constexpr int head_numbers[] = {0, 2, 4};  // of our classifiers' convolutions (acol/network/heads.h)

// "13 convolutions", "13 convolutions with batch norm"
std::string count_text(const std::vector<Layer>& layers) {
  const auto filters = std::count_if(layers.begin(), layers.end(), [](const Layer& layer) { return layer.filter; });
  return std::to_string(filters) + (filters == 1 ? " convolution" : " convolutions") +
         (static_cast<std::size_t>(filters) < layers.size() ? " with batch norm" : "");
}

bool same_kinds(const std::vector<Layer>& a, const std::vector<Layer>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Layer& x, const Layer& y) { return x.filter == y.filter; });
}

}  // namespace

const char* describe(WeightNames names) {
  switch (names) {
    case WeightNames::acol:
      return "acol";
    case WeightNames::torchvision:
      return "torchvision";
    case WeightNames::timm:
      return "timm";
    case WeightNames::caffe:
      return "jcjohnson/pytorch-vgg (Caffe's weights)";
    case WeightNames::official:
      return "xiaomengyc/ACoL";
    case WeightNames::hal_or_wsol:
      return "halbielee/ACoL_pytorch or clovaai/wsolevaluation";
    case WeightNames::wsol_cam:
      return "clovaai/wsolevaluation, CAM (the trunk alone fits)";
    case WeightNames::unknown:
      break;
  }
  return "none that is known";
}

WeightMatch match_weights(const WeightFile& file, const std::string& arch) {
  WeightMatch match;
  match.names = names_in(file);
  const auto take = [&](const std::string& ours, const std::string& theirs) {
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
      if (file.find(theirs + part) != nullptr) match.file_name[ours + part] = theirs + part;
  };
  const std::vector<Layer> own = own_trunk(arch), found = layers_under(file, "features");
  for (const Layer& layer : own)
    if (layer.filter) match.trunk_filters.push_back(layer_name("features", layer.number) + ".weight");
  if (same_kinds(own, found)) {
    for (std::size_t i = 0; i < own.size(); ++i)
      take(layer_name("features", own[i].number), layer_name("features", found[i].number));
  } else if (found.empty()) {
    match.trunk_problem = "has no trunk: no features.0.weight and so on, torchvision's names";
  } else {
    match.trunk_problem = "has a trunk of " + count_text(found) + ", " + arch + " has " + count_text(own);
    // Names that agree help to see what is wrong.
    for (const Layer& layer : own) take(layer_name("features", layer.number), layer_name("features", layer.number));
  }
  const auto [a, b] = heads_of(match.names);
  for (const auto& [ours, theirs] : {std::pair("classifier_a", a), std::pair("classifier_b", b)}) {
    const std::vector<Layer> head = theirs.empty() ? std::vector<Layer>{} : filters_under(file, theirs);
    if (head.size() != 3) continue;
    for (std::size_t i = 0; i < 3; ++i) take(layer_name(ours, head_numbers[i]), layer_name(theirs, head[i].number));
  }
  return match;
}

std::string architecture_of(const WeightFile& file) {
  const std::vector<Layer> found = layers_under(file, "features");
  for (const std::string& arch : known_architectures())
    if (same_kinds(own_trunk(arch), found)) return arch;
  check(!found.empty(), file.path().string(), ": has no trunk: no features.0.weight and so on, torchvision's names");
  fail(file.path().string(), ": has a trunk of ", count_text(found), "; VGG11, 13, 16 and 19 have 8, 10, 13 and 16");
}

NetworkConfig network_of(const WeightFile& file, std::string arch) {
  const std::string path = file.path().string();
  NetworkConfig config;
  config.arch = arch.empty() ? architecture_of(file) : std::move(arch);
  const WeightMatch match = match_weights(file, config.arch);
  check(match.trunk_problem.empty(), path, ": ", match.trunk_problem);
  const auto shape = [&](const std::string& ours) {
    const auto name = match.file_name.find(ours);
    return name == match.file_name.end() ? std::vector<std::int64_t>(4, 0) : file.find(name->second)->shape;
  };
  const std::int64_t classes = shape("classifier_a.4.weight")[0];
  check(classes > 0, path, ": has no classifier of three convolutions (names: ", describe(match.names),
        "), so it is no trained ACoL or CAM; to start training from it use acol train --weights");
  config.method = shape("classifier_b.4.weight")[0] > 0 ? Method::acol : Method::cam;
  // The widest layer tells the width best; shapes are compared one by one when they are read. These two before a
  // network is made, so that it is not much larger than the file, whatever that claims.
  const std::int64_t widest = shape("classifier_a.0.weight")[0];
  check(classes <= 1'000'000, path, ": has ", classes, " classes");
  check(widest >= 1 && widest <= 4096, path, ": has a classifier of ", widest, " channels; 1024 is the paper's");
  using Extents = std::vector<std::int64_t>;
  check(shape("classifier_a.2.weight") == Extents{widest, widest, 3, 3} &&
            shape("classifier_a.4.weight") == Extents{classes, widest, 1, 1},
        path, ": has a classifier of ", widest, " channels and ", classes,
        " classes whose convolutions do not fit one another");
  config.classes = static_cast<int>(classes);
  config.width = static_cast<double>(widest) / 1024;
  return config;
}

std::string renamed(const std::string& ours, WeightNames names) {
  if (ours.starts_with("features.")) return ours;
  const auto [a, b] = heads_of(names);
  const std::string rest = ours.substr(std::string("classifier_a").size());
  if (a.empty()) return "";
  return (ours.starts_with("classifier_a") ? a : b) + rest;
}

const char* name_of(WeightsPreprocessing how) { return how == WeightsPreprocessing::caffe ? "caffe" : "torchvision"; }

WeightsPreprocessing parse_weights_preprocessing(const std::string& name) {
  for (const WeightsPreprocessing how : {WeightsPreprocessing::torchvision, WeightsPreprocessing::caffe})
    if (name == name_of(how)) return how;
  fail("unknown preprocessing of weights '", name, "': torchvision or caffe");
}

void use_preprocessing(WeightsPreprocessing how, Preprocessing& preprocessing) {
  if (how == WeightsPreprocessing::caffe) {
    preprocessing.mean = {123.68f / 255, 116.779f / 255, 103.939f / 255};
    preprocessing.std = {1.0f / 255, 1.0f / 255, 1.0f / 255};
  } else {
    preprocessing.mean = Preprocessing{}.mean;
    preprocessing.std = Preprocessing{}.std;
  }
}

}  // namespace acol
