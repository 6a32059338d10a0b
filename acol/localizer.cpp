#include "acol/localizer.h"

#include <algorithm>

#include "acol/data/transform.h"
#include "acol/evaluate/boxes.h"
#include "tensor/check.h"

namespace acol {

namespace {

PassA pass_a(const Model& model, const Image& image) {
  const int side = model.config.preprocessing.crop;
  Tensor input = Tensor::empty_on_host({1, side, side, 3});
  test_input(image, model.config.preprocessing, input.f32());
  return forward_a(*model.network, input);
}

}  // namespace

Localizer::Localizer(const std::filesystem::path& model_file) : model_(load_model(model_file)) {
  model_.network->fold_batch_norm();
}

std::vector<Localization> Localizer::localize(const Image& image, int top_k, double box_threshold) const {
  check(top_k >= 1, "localize: top-k must be at least 1, got ", top_k);
  const PassA a = pass_a(model_, image);
  return localize_labels(image, a, top_classes(a.probabilities, 0, top_k), box_threshold);
}

Localization Localizer::localize_class(const Image& image, int label, double box_threshold) const {
  check(label >= 0 && label < model_.config.network.classes, "localize: no class ", label, "; the model has ",
        model_.config.network.classes);
  return localize_labels(image, pass_a(model_, image), {label}, box_threshold)[0];
}

int Localizer::label_of(const std::string& name) const {
  const auto place = [](const auto& list, const auto& found) { return static_cast<int>(found - list.begin()); };
  const auto id = std::find(model_.class_ids.begin(), model_.class_ids.end(), name);
  if (id != model_.class_ids.end()) return place(model_.class_ids, id);
  const std::vector<std::string>& names = model_.class_names;
  const auto first = std::find(names.begin(), names.end(), name), last = names.end();
  if (first != last) {
    check(std::find(first + 1, last, name) == last, "the model has several classes '", name,
          "'; give the id of one: ", "`acol info MODEL` lists them");
    return place(names, first);
  }
  fail("the model has no class '", name, "'; `acol info MODEL` lists them");
}

std::vector<Localization> Localizer::localize_labels(const Image& image, const PassA& a, const std::vector<int>& labels,
                                                     double box_threshold) const {
  check(box_threshold > 0 && box_threshold <= 1, "localize: the box threshold must be in (0, 1], got ", box_threshold);
  std::vector<Localization> found;
  for (const int label : labels) {
    Localization one;
    one.label = label;
    one.id = model_.class_ids[static_cast<std::size_t>(label)];
    one.name = model_.class_names[static_cast<std::size_t>(label)];
    one.score = a.probabilities.at(label);
    one.maps = class_maps(*model_.network, a, {label})[0];
    one.box = box_of_map(one.maps.fused, image.width, image.height, box_threshold);
    found.push_back(std::move(one));
  }
  return found;
}

Box box_of_map(const ScoreMap& map, int width, int height, double box_threshold) {
  const ScoreMap full = resized(map, width, height, Interpolation::bilinear);
  return largest_component_box(full, box_threshold).value_or(whole_box(width, height));
}

}  // namespace acol
