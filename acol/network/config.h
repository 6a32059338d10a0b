// What a network is made of. A model file stores all of it.
#pragma once

#include <string>
#include <vector>

namespace acol {

enum class Method {
  cam,   // one classifier: class activation maps (Zhou et al., CVPR 2016)
  acol,  // two, the second on what the first left over (Zhang et al., CVPR 2018)
};

// The two ways to write CAM. They share their weights and give the same maps and logits (ACoL, section 3.1; `acol
// prove-cam` measures the difference). A choice for evaluation: a training step wants logits and no maps, and takes the
// means of the features first, as fully_connected does, whichever is set.
enum class CamForm {
  convolution,      // a 1x1 convolution makes the maps, their means are the logits
  fully_connected,  // the means of the features go through a linear layer; its weights applied to the features make the
                    // maps
};

struct NetworkConfig {
  Method method = Method::acol;
  std::string arch = "vgg16";  // vgg11, vgg13, vgg16, vgg19, each also with _bn
  double width = 1;            // factor on all channel counts, in (0, 4]; 1 is the paper's
  int map_stride = 8;  // input pixels per map pixel, 8 or 16: pool4 has stride 1 or 2. 28x28 or 14x14 maps at 224
  int classes = 1000;
  double erase_threshold = 0.6;  // in [0, 1]; the best of 0.5 .. 0.9 in the paper
  double dropout = 0;  // in [0, 1), behind the two hidden layers of each classifier; the official code has none
  CamForm cam_form = CamForm::convolution;
  friend bool operator==(const NetworkConfig&, const NetworkConfig&) = default;
};

// Error that names the first setting outside its range.
void validate(const NetworkConfig& config);

const char* name_of(Method method);            // "cam", "acol"
const char* name_of(CamForm form);             // "conv", "fc"
Method parse_method(const std::string& name);  // Error for anything else
CamForm parse_cam_form(const std::string& name);
std::vector<std::string> known_architectures();

// A channel count of the paper at this width: rounded, at least 1.
int scaled_channels(int channels, double width);

}  // namespace acol
