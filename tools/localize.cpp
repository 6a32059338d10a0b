// acol localize: classes and boxes for pictures.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "acol/localizer.h"
#include "acol/report/overlay.h"
#include "command.h"
#include "interrupt.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

struct Options {
  fs::path model, out;
  std::vector<fs::path> images;
  int top_k = 1;
  bool one_label = false;  // --label was given, if only ""
  std::string label;
  double box_threshold = 0.2;
  bool exif = false;
  ComputeOptions compute;
};

std::string json_line(const fs::path& path, const Image& image, const std::vector<Localization>& found) {
  nlohmann::ordered_json json;
  json["image"] = path.string();
  json["width"] = image.width;
  json["height"] = image.height;
  json["predictions"] = nlohmann::ordered_json::array();
  for (const Localization& one : found)
    json["predictions"].push_back({{"label", one.label},
                                   {"class", one.name},
                                   {"id", one.id},
                                   {"score", one.score},
                                   {"box", {one.box.x0, one.box.y0, one.box.x1, one.box.y1}}});
  // A file name need not be UTF-8; JSON has to be.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

fs::path overlay_path(const Options& options, const fs::path& picture, const std::string& which) {
  return options.out / (picture.stem().string() + "_" + which + ".png");
}

// No file of --out may be the same as another's, or be one of the pictures, which may not have been read yet.
void check_overlay_paths(const Options& options) {
  std::set<fs::path> pictures;
  for (const fs::path& path : options.images) pictures.insert(fs::weakly_canonical(path));
  std::set<std::string> stems;
  for (const fs::path& path : options.images) {
    const std::string stem = path.stem().string();
    if (!stems.insert(stem).second)
      throw UsageError("two pictures are named " + stem + ": their files in --out would be the same");
    for (const char* which : {"a", "b", "fused"})
      if (const fs::path file = overlay_path(options, path, which); pictures.contains(fs::weakly_canonical(file)))
        throw UsageError("--out would overwrite the picture " + file.string());
  }
}

// <name>_a.png, <name>_b.png, <name>_fused.png: each map over the picture, with the box that this map alone gives.
void write_overlays(const Options& options, const fs::path& path, const Image& image, const Localization& found) {
  const auto write = [&](const char* which, const ScoreMap& map) {
    Image picture = overlay(image, map);
    const int thickness = std::max(1, std::min(image.width, image.height) / 100);
    draw_box(picture, box_of_map(map, image.width, image.height, options.box_threshold), palette::green, thickness);
    write_png(overlay_path(options, path, which), picture);
  };
  write("a", found.maps.a);
  if (found.maps.b.width > 0) write("b", found.maps.b);
  write("fused", found.maps.fused);
}

int run_localize(const Options& options) {
  options.compute.use();
  if (!options.out.empty()) {
    check_overlay_paths(options);
    prepare_output_folder(options.out);
  }
  const Localizer localizer(options.model);
  const int label = options.one_label ? localizer.label_of(options.label) : 0;

  int status = exit_done;
  for (const fs::path& path : options.images) {
    stop_if_interrupted();
    Image image;
    try {
      image = read_image(path, {.apply_exif = options.exif});
    } catch (const Error& error) {  // the other pictures are still wanted
      say(std::string("acol: ") + error.what());
      status = exit_failure;
      continue;
    }
    std::vector<Localization> found;
    if (options.one_label)
      found.push_back(localizer.localize_class(image, label, options.box_threshold));
    else
      found = localizer.localize(image, options.top_k, options.box_threshold);
    std::cout << json_line(path, image, found) << std::endl;  // a reader gets each line as soon as it is known
    if (!options.out.empty()) write_overlays(options, path, image, found.front());
  }
  return status;
}

}  // namespace

Command add_localize(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("localize", "find objects on pictures: a JSON line a picture");
  app->add_option("--model", options->model, "model, as acol train writes it")->required()->type_name("FILE");
  app->add_option("IMAGE", options->images, "pictures: JPEG, PNG, BMP, PNM")->required()->type_name("FILE");
  CLI::Option* top_k = app->add_option("--top-k", options->top_k, "classes a picture, best first")
                           ->capture_default_str()
                           ->check(at_least(1));
  const CLI::Option* label = app->add_option("--label", options->label, "this class, by name or id, whatever its score")
                                 ->excludes(top_k)
                                 ->type_name("NAME");
  app->add_option("--box-threshold", options->box_threshold, "the box holds what has this share of the map's maximum")
      ->capture_default_str()
      ->check(number("in (0, 1]", [](double share) { return share > 0 && share <= 1; }));
  app->add_option("--out", options->out,
                  "write NAME_a.png, NAME_b.png, NAME_fused.png there: heat maps with their boxes")
      ->type_name("DIR");
  app->add_flag("--exif", options->exif, "turn pictures as their EXIF data say; boxes are for the turned picture");
  add_threads_option(*app, options->compute);
  add_device_options(*app, options->compute);
  app->footer(
      "Boxes are [x0, y0, x1, y1] in pixels of the picture, corners inclusive. The score is branch A's probability.\n"
      "A picture that cannot be read is reported, the others go on, and the exit status is 1.");
  return {app, [options, label] {
            options->one_label = label->count() > 0;
            return run_localize(*options);
          }};
}

}  // namespace acol
