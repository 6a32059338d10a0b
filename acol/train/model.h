// A model file: weights and all that is needed to use them, in one safetensors file.
//
// Tensors: parameters under their module's names, filters as (O, C, R, S), batch norm's running statistics. Metadata:
//   "acol_model"     JSON: format version, classes and the TrainConfig the network was made with;
//   "acol_training"  JSON: how far the training had come (acol/train/checkpoint.h).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "acol/data/transform.h"
#include "acol/network/network.h"
#include "acol/train/config.h"
#include "acol/weights/weight_names.h"
#include "tensor/safetensors.h"

namespace acol {

struct Model {
  TrainConfig config;                    // its network and preprocessing parts say how to use the model
  std::vector<std::string> class_ids;    // folder name or WNID, in label order
  std::vector<std::string> class_names;  // for people
  std::shared_ptr<Network> network;
  std::string training = "{}";  // JSON: epoch, step, validation figures
};

// A new network for these classes, initialised as the configuration says. Sets config.network.classes.
Model make_model(TrainConfig config, std::vector<std::string> class_ids, std::vector<std::string> class_names);

// Error naming the file: not a safetensors file, no "acol_model", damaged JSON, a tensor missing or of another shape.
Model load_model(const std::filesystem::path& path);

// The same from a file already open.
Model model_from_file(const SafetensorsReader& file);

// What a model file says of itself, without its weights: network stays null. The second form takes the file's metadata.
Model read_model_card(const std::filesystem::path& path);
Model read_model_card(const std::map<std::string, std::string>& metadata, const std::filesystem::path& path);

// The model as the content of a file.
SafetensorsFile model_file(const Model& model);

// Reads every parameter and buffer from `file`; Error naming it and the tensor if one is missing or does not fit.
void restore_network(Network& network, const SafetensorsReader& file);

// Starts from someone else's weights (acol/weights): every tensor of a safetensors or .pth file that is known by
// torchvision's, the official code's or another name is copied; a classifier of another shape is left out. Of weights
// that Caffe trained, conv1_1's input channels are flipped; the caller sets the preprocessing (use_preprocessing()).
// Error if a trunk convolution is missing or has another shape.
struct WeightsReport {
  std::string names;                 // whose names the file has
  std::vector<std::string> loaded;   // names of the network
  std::vector<std::string> kept;     // of the network, not in the file: still as initialised
  std::vector<std::string> ignored;  // of the file, of no use to the network; sorted
  std::vector<std::string> notes;    // what was unwrapped, and what looks odd
};
WeightsReport load_pretrained(Network& network, const std::filesystem::path& path,
                              WeightsPreprocessing trained_on = WeightsPreprocessing::torchvision);
WeightsReport load_pretrained(Network& network, const WeightFile& file,
                              WeightsPreprocessing trained_on = WeightsPreprocessing::torchvision);

}  // namespace acol
