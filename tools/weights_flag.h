// --weights-preprocessing, which train, sweep and weights convert share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "acol/weights/weight_names.h"

namespace acol {

inline CLI::Option* add_weights_preprocessing_option(CLI::App& app, WeightsPreprocessing& value) {
  return app
      .add_option_function<std::string>(
          "--weights-preprocessing", [&value](const std::string& name) { value = parse_weights_preprocessing(name); },
          "what they were trained on: torchvision (RGB, mean and std) or caffe (BGR, 0..255 minus a mean)")
      ->default_str("torchvision")
      ->check(CLI::IsMember({"torchvision", "caffe"}));
}

}  // namespace acol
