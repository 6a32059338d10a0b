// Which tensor of someone else's file is which parameter of ours.
//
//   program                        trunk       classifier A    classifier B
//   acol                           features    classifier_a    classifier_b
//   xiaomengyc/ACoL (official)     features    cls             cls_erase
//   halbielee/ACoL_pytorch         features    classifier_A    classifier_B
//   clovaai/wsolevaluation, acol   features    classifier_A    classifier_B
//   clovaai/wsolevaluation, cam    features    conv6, fc: not our classifier, so the trunk alone
//   torchvision, timm              features    classifier.0 .3 .6; pre_logits, head: not used
//   jcjohnson/pytorch-vgg          features    classifier.1 .4 .6: not used. Trained by Caffe, on BGR
//
// Layers are numbered within each of them. The trunk's are matched by their order, not by their number: where a program
// leaves a pool out (wsolevaluation's 28x28 variants), all later numbers shift.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "acol/data/transform.h"
#include "acol/network/config.h"
#include "acol/weights/weight_file.h"

namespace acol {

enum class WeightNames { acol, torchvision, timm, caffe, official, hal_or_wsol, wsol_cam, unknown };
const char* describe(WeightNames names);  // "torchvision", "halbielee/ACoL_pytorch or wsolevaluation", ...

struct WeightMatch {
  WeightNames names = WeightNames::unknown;
  std::map<std::string, std::string>
      file_name;  // of our parameter or buffer; those that the file does not have are not there
  // Of the file, by our names: what its layers say of the network.
  std::vector<std::string> trunk_filters;  // our features.N.weight in order, as far as the trunk fits the architecture
  std::string trunk_problem;               // why the trunk does not fit; empty if it does
};

// Matches a file with the network of `arch` ("vgg16", ...). Shapes are not compared.
WeightMatch match_weights(const WeightFile& file, const std::string& arch);

// The architecture whose trunk has as many convolutions, with or without batch norm, as the file's. Error naming the
// file if there is none.
std::string architecture_of(const WeightFile& file);

// The network that the file's shapes describe: architecture (unless given), width, classes, and ACoL or CAM by whether
// there is a classifier B. Error naming the file: no classifier A, or shapes that no such network has.
NetworkConfig network_of(const WeightFile& file, std::string arch = "");

// Our name of a parameter in another program's terms; empty where it has no such parameter (classifiers in
// torchvision's). For WeightNames acol, torchvision, official and hal_or_wsol.
std::string renamed(const std::string& ours, WeightNames names);

// What the pictures looked like that weights were trained on.
enum class WeightsPreprocessing {
  torchvision,  // RGB, value / 255, minus mean (0.485, 0.456, 0.406), over std (0.229, 0.224, 0.225)
  caffe,        // BGR, values 0..255 minus (103.939, 116.779, 123.68)
};
const char* name_of(WeightsPreprocessing how);                              // "torchvision", "caffe"
WeightsPreprocessing parse_weights_preprocessing(const std::string& name);  // Error for anything else

// Sets mean and std so that the network sees what the weights were trained on, up to the order of the channels: ours is
// RGB, so Caffe's conv1_1 has to be read with its input channels flipped (load_pretrained does). Nothing is folded into
// the weights, which would be inexact at the border: the padding is 0 after the mean is taken off.
void use_preprocessing(WeightsPreprocessing how, Preprocessing& preprocessing);

}  // namespace acol
