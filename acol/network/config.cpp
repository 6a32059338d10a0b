#include "acol/network/config.h"

#include <algorithm>
#include <cmath>

#include "tensor/check.h"

namespace acol {

std::vector<std::string> known_architectures() {
  return {"vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"};
}

void validate(const NetworkConfig& config) {
  const std::vector<std::string> known = known_architectures();
  check(std::find(known.begin(), known.end(), config.arch) != known.end(), "network: unknown architecture '",
        config.arch, "'; there are vgg11, vgg13, vgg16 and vgg19, each also with _bn");
  check(config.width > 0 && config.width <= 4, "network: width must be in (0, 4], got ", config.width);
  check(config.map_stride == 8 || config.map_stride == 16, "network: map stride must be 8 or 16, got ",
        config.map_stride);
  check(config.classes >= 1, "network: at least one class is needed, got ", config.classes);
  check(config.erase_threshold >= 0 && config.erase_threshold <= 1,
        "network: the erase threshold must be in [0, 1], got ", config.erase_threshold);
  check(config.dropout >= 0 && config.dropout < 1, "network: dropout must be in [0, 1), got ", config.dropout);
}

const char* name_of(Method method) { return method == Method::cam ? "cam" : "acol"; }
const char* name_of(CamForm form) { return form == CamForm::convolution ? "conv" : "fc"; }

Method parse_method(const std::string& name) {
  for (const Method method : {Method::cam, Method::acol})
    if (name == name_of(method)) return method;
  fail("unknown method '", name, "': cam or acol");
}

CamForm parse_cam_form(const std::string& name) {
  for (const CamForm form : {CamForm::convolution, CamForm::fully_connected})
    if (name == name_of(form)) return form;
  fail("unknown form of CAM '", name, "': conv or fc");
}

int scaled_channels(int channels, double width) { return std::max(1, static_cast<int>(std::lround(channels * width))); }

}  // namespace acol
