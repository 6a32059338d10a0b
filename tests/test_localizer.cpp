// The library's front door: a model file and a picture in, classes and boxes out.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "acol/evaluate/boxes.h"
#include "acol/evaluate/evaluate.h"
#include "acol/localizer.h"
#include "tests/small_network.h"
#include "tests/tiny_set.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> ids{"n01", "n02", "n03", "n04", "n05", "n06"};
// Two cranes, and a class that is called as another one's id.
const std::vector<std::string> names{"crane", "n05", "owl", "crane", "heron", "stork"};

// An untrained model in a file; `change` may touch its network before.
struct SavedModel {
  TemporaryFolder folder;
  Model model;
  std::string path = folder / "model.safetensors";

  template <class Change>
  explicit SavedModel(Method method, const Change& change) {
    TrainConfig config;
    config.network = small_config("vgg11_bn", method);
    config.network.width = 0.05;
    config.preprocessing.resize = config.preprocessing.crop = 32;
    model = make_model(config, ids, names);
    randomise(*model.network, 77);
    change(*model.network);
    model.network->set_training(false);
    write_safetensors(path, model_file(model));
  }
  explicit SavedModel(Method method = Method::acol) : SavedModel(method, [](Network&) {}) {}

  Network& network() const { return *model.network; }
};

const TinySet& set() {
  static const TinySet one({.classes = 6, .train = 1, .val = 3, .size = 48, .seed = 13});
  return one;
}

// A picture of another shape, cut out of a drawn one.
Image cut_out(int width, int height) {
  const Image whole = read_image(set().val.path(set().val.samples[4]));
  Image part{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int i = 0; i < 3 * width; ++i) part.rgb.push_back(whole.rgb[static_cast<std::size_t>(y * 3 * 48 + i)]);
  return part;
}

bool inside(const Box& box, int width, int height) {
  return 0 <= box.x0 && box.x0 <= box.x1 && box.x1 < width && 0 <= box.y0 && box.y0 <= box.y1 && box.y1 < height;
}

// The maps of the stored network, batch norm not folded.
ClassMaps unfolded_maps(const SavedModel& saved, const Image& image, int label) {
  Tensor input = Tensor::empty_on_host({1, 32, 32, 3});
  test_input(image, saved.model.config.preprocessing, input.f32());
  return class_maps(saved.network(), forward_a(saved.network(), input), {label})[0];
}

double distance(const ScoreMap& a, const ScoreMap& b) {
  if (a.width != b.width || a.height != b.height) return std::nan("");
  double worst = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) worst = std::max(worst, std::abs(a.values[i] - b.values[i]));
  return worst;
}

}  // namespace

TEST_CASE("maps are those of the network as trained, folded batch norm up to rounding; boxes are the evaluation's") {
  for (const Method method : {Method::acol, Method::cam}) {
    CAPTURE(name_of(method));
    const SavedModel saved(method);
    const Localizer localizer(saved.path);
    bool rounded = false;
    for (const Sample& sample : set().val.samples) {
      CAPTURE(sample.id);
      const Image image = read_image(set().val.path(sample));
      const Localization found = localizer.localize_class(image, sample.label);
      const ClassMaps want = unfolded_maps(saved, image, sample.label);
      // Ten layers of sums of some hundred float products, then divided by the map's range.
      CHECK(distance(found.maps.a, want.a) <= 1e-4);
      CHECK(distance(found.maps.fused, want.fused) <= 1e-4);
      if (method == Method::acol) CHECK(distance(found.maps.b, want.b) <= 1e-4);
      CHECK(found.maps.b.width == (method == Method::acol ? 4 : 0));
      rounded = rounded || !(found.maps.a == want.a);
      CHECK(found.box == box_of_map(want.fused, 48, 48, 0.2));

      // The evaluation's box is not told, but a true box of half its area counts and a smaller one does not.
      Dataset one = set().val;
      one.samples = {sample};
      EvaluateOptions options;
      options.max_box_acc = false;
      const auto known = [&](const Box& truth) {
        one.samples[0].boxes = {truth};
        return evaluate(saved.network(), saved.model.config.preprocessing, one, options).gt_known_loc.value();
      };
      CHECK(known(found.box) == 100);
      Box half = found.box;  // on the left
      half.x1 = half.x0 + (half.x1 - half.x0 + 2) / 2 - 1;
      CHECK(known(half) == 100);
      half.x1 -= 1;
      if (half.x1 >= half.x0) CHECK(known(half) == 0);
    }
    CHECK(rounded);  // or nothing was folded
  }
}

TEST_CASE("the best classes, best first, each with its own box inside the picture") {
  const SavedModel saved;
  const Localizer localizer(saved.path);
  for (const auto& [this_width, this_height] : {std::pair{48, 48}, {48, 20}, {9, 48}, {1, 1}})
    for (const double threshold : {0.05, 0.2, 0.6, 1.0}) {
      const auto& width = this_width;  // a message is a lambda, and Clang 14 captures no binding
      const auto& height = this_height;
      CAPTURE(width);
      CAPTURE(height);
      CAPTURE(threshold);
      const Image image = cut_out(width, height);
      const std::vector<Localization> all = localizer.localize(image, 99, threshold);
      REQUIRE(all.size() == 6);
      double total = 0;
      std::vector<int> seen;
      for (std::size_t i = 0; i < 6; ++i) {
        const Localization& one = all[i];
        seen.push_back(one.label);
        total += one.score;
        CHECK(one.score > 0);
        if (i > 0) CHECK(one.score <= all[i - 1].score);
        CHECK(one.id == ids[static_cast<std::size_t>(one.label)]);
        CHECK(one.name == names[static_cast<std::size_t>(one.label)]);
        CHECK(inside(one.box, width, height));
        const Localization alone = localizer.localize_class(image, one.label, threshold);
        CHECK(alone.label == one.label);
        CHECK(alone.score == one.score);
        CHECK(alone.box == one.box);
        CHECK(alone.maps.fused == one.maps.fused);
        CHECK(one.box == box_of_map(one.maps.fused, width, height, threshold));
      }
      CHECK(total == doctest::Approx(1).epsilon(1e-6));
      std::sort(seen.begin(), seen.end());
      CHECK(seen == std::vector<int>{0, 1, 2, 3, 4, 5});
      const std::vector<Localization> two = localizer.localize(image, 2, threshold);
      REQUIRE(two.size() == 2);
      CHECK(two[0].label == all[0].label);
      CHECK(two[1].box == all[1].box);
    }
  const Image image = cut_out(48, 48);
  CHECK(localizer.localize(image).size() == 1);
  // A higher threshold shows less, so its box is not larger.
  CHECK(area(localizer.localize(image, 1, 0.9)[0].box) < area(localizer.localize(image, 1, 0.1)[0].box));
}

TEST_CASE("a class by its id or its name") {
  const SavedModel saved;
  const Localizer localizer(saved.path);
  CHECK(localizer.model().class_names == names);
  for (int label = 0; label < 6; ++label) CHECK(localizer.label_of(ids[static_cast<std::size_t>(label)]) == label);
  CHECK(localizer.label_of("owl") == 2);
  CHECK(localizer.label_of("stork") == 5);
  CHECK(localizer.label_of("n05") == 4);  // an id goes before a name
  CHECK_THROWS_WITH_AS(localizer.label_of("crane"), doctest::Contains("several"), Error);
  CHECK_THROWS_WITH_AS(localizer.label_of("Owl"), doctest::Contains("no class 'Owl'"), Error);
  CHECK_THROWS_WITH_AS(localizer.label_of(""), doctest::Contains("no class ''"), Error);
}

TEST_CASE("errors name what is wrong") {
  const SavedModel saved;
  const Localizer localizer(saved.path);
  const Image image = cut_out(48, 48);
  for (const int bad : {0, -1}) CHECK_THROWS_WITH_AS(localizer.localize(image, bad), doctest::Contains("top-k"), Error);
  for (const int bad : {-1, 6})
    CHECK_THROWS_WITH_AS(localizer.localize_class(image, bad), doctest::Contains("no class"), Error);
  for (const double bad : {0.0, -0.2, 1.01, std::nan("")}) {
    CAPTURE(bad);
    CHECK_THROWS_WITH_AS(localizer.localize(image, 1, bad), doctest::Contains("threshold"), Error);
    CHECK_THROWS_WITH_AS(localizer.localize_class(image, 0, bad), doctest::Contains("threshold"), Error);
  }
  CHECK_THROWS_AS(localizer.localize(Image{}), Error);
  CHECK_THROWS_WITH_AS(Localizer(saved.folder / "none.safetensors"), doctest::Contains("none.safetensors"), Error);
  std::ofstream(saved.folder / "text.safetensors") << "no model\n";
  CHECK_THROWS_WITH_AS(Localizer(saved.folder / "text.safetensors"), doctest::Contains("text.safetensors"), Error);
}

TEST_CASE("a map that shows nothing gives the whole picture, and no NaN") {
  const SavedModel saved(Method::acol, [](Network& network) {
    for (const char* name : {"classifier_a.4.weight", "classifier_b.4.weight"})
      parameter_of(network, name).value().fill(0);
  });
  const Localizer localizer(saved.path);
  const std::vector<Localization> all = localizer.localize(cut_out(48, 20), 6);
  REQUIRE(all.size() == 6);
  double total = 0;
  for (const Localization& one : all) {
    CHECK(one.box == whole_box(48, 20));
    CHECK(std::isfinite(one.score));
    total += one.score;
    for (const ScoreMap* map : {&one.maps.a, &one.maps.b, &one.maps.fused})
      CHECK(std::all_of(map->values.begin(), map->values.end(), [](double v) { return v == 0; }));
  }
  CHECK(total == doctest::Approx(1).epsilon(1e-6));

  // The evaluation says the same: figures, not NaN, and nothing shown.
  EvaluateOptions options;
  const Evaluation figures = evaluate(saved.network(), saved.model.config.preprocessing, set().val, options);
  CHECK(figures.coverage_fused.value() == 0);
  CHECK(figures.precision_fused.value() == 0);
  CHECK(figures.max_box_acc.value() >= 0);
  Dataset whole = set().val;
  for (Sample& sample : whole.samples) sample.boxes = {whole_box(48, 48)};
  CHECK(evaluate(saved.network(), saved.model.config.preprocessing, whole, options).gt_known_loc.value() == 100);
}
