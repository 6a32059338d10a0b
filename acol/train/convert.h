// Trained networks from and to other programs: an ACoL or CAM that PyTorch wrote becomes a model file, and back.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "acol/train/model.h"
#include "acol/weights/weight_file.h"

namespace acol {

// What a file of weights does not say.
struct ConvertOptions {
  std::string arch;             // empty: by the number of convolutions
  std::optional<double> width;  // none: by the classifier's channels
  int map_stride = 8;           // pool4 has stride 1 (8) or 2 (16, wsolevaluation's default): no number tells
  double erase_threshold = 0.6;
  Preprocessing preprocessing;  // mean and std are set by `trained_on`
  WeightsPreprocessing trained_on = WeightsPreprocessing::torchvision;
  std::vector<std::string> class_ids, class_names;  // in label order; empty: "0", "1", ...
};

// Whether the file says itself what its network is: acol wrote it.
bool has_model_card(const WeightFile& file);

// The network in the file, ready to use. Of a file with a model card, exactly that model; the options are not looked
// at. Of any other, ACoL if it has a classifier B, else CAM. Error naming the file: no classifier, a tensor missing or
// of another shape, another number of classes than `class_ids` names.
Model model_from_weights(const WeightFile& file, const ConvertOptions& options = {});

// Writes the network as a .pth under another program's names (renamed()): acol, torchvision (the trunk alone), official
// or hal_or_wsol. With all of its tensors in it, the model card goes along, and model_from_weights() brings back every
// bit. Returns the names of parameters that the other program has no place for.
std::vector<std::string> write_model_as_pth(const std::filesystem::path& path, const Model& model, WeightNames names);

// One class a line, in label order: an id and, after a tab, a name; or a WordNet id, a space and a name
// ("n01440764 tench", as LOC_synset_mapping.txt); or one text that is both. Error naming file and line: an empty line,
// an id twice.
void read_class_list(const std::filesystem::path& path, std::vector<std::string>& ids, std::vector<std::string>& names);

}  // namespace acol
