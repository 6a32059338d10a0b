// The library's front door: a model file and a picture in, classes and boxes out.
//
//   acol::Localizer localizer("run/best.safetensors");
//   for (const auto& found : localizer.localize(acol::read_image("bird.jpg")))
//     std::cout << found.name << " " << found.score << " at " << found.box.x0 << "," << found.box.y0 << "\n";
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "acol/data/box.h"
#include "acol/data/image.h"
#include "acol/evaluate/class_maps.h"
#include "acol/train/model.h"

namespace acol {

struct Localization {
  int label = 0;         // index in label order
  std::string id, name;  // of the class
  double score = 0;      // A's probability
  Box box;               // pixels of the given picture, inclusive; the whole picture if the map shows nothing
  ClassMaps maps;        // at map resolution, in [0, 1]; ScoreMap's resized() brings them to any size
};

class Localizer {
 public:
  // Error naming the file if it is no model.
  explicit Localizer(const std::filesystem::path& model_file);

  // The `top_k` most probable classes (at most all), best first. box_threshold: fraction of a map's maximum, in (0, 1].
  std::vector<Localization> localize(const Image& image, int top_k = 1, double box_threshold = 0.2) const;
  // One class, whatever its score. Error if `label` is not a class.
  Localization localize_class(const Image& image, int label, double box_threshold = 0.2) const;

  // Its network has batch norm folded into the convolutions: to use, not to save.
  const Model& model() const { return model_; }
  // The label of a class by its id or, if none has it, its name. Error if there is none, or several of that name.
  int label_of(const std::string& name) const;

 private:
  std::vector<Localization> localize_labels(const Image& image, const PassA& a, const std::vector<int>& labels,
                                            double box_threshold) const;
  Model model_;
};

// The box of a map (any resolution) on a picture of width x height: resized bilinearly, then the CAM paper's rule.
Box box_of_map(const ScoreMap& map, int width, int height, double box_threshold);

}  // namespace acol
