// acol score: maps that any program wrote, measured against boxes and masks.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "acol/data/wsol_lists.h"
#include "acol/evaluate/boxes.h"
#include "acol/evaluate/centre_box.h"
#include "acol/evaluate/max_box_acc.h"
#include "acol/evaluate/score_maps.h"
#include "command.h"
#include "evaluation_table.h"
#include "interrupt.h"
#include "progress.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

struct Options {
  fs::path data, metadata, image_root, mask_root, out;
  std::string split, layout = "auto", protocol = "wsol", normalisation, box_rule;
  int resamples = 0;
  ComputeOptions compute;
  ScoreOptions score;
};

void read_names(Options& options) {
  const auto as_usage = [](const auto& parse) {
    try {
      parse();
    } catch (const Error& error) {
      throw UsageError(error.what());
    }
  };
  as_usage([&] {
    options.score.protocol = parse_score_protocol(options.protocol);
    if (!options.normalisation.empty()) options.score.normalisation = parse_normalisation(options.normalisation);
    if (!options.box_rule.empty()) options.score.box_rule = parse_box_rule(options.box_rule);
  });
  if (options.resamples > 0) options.score.bootstrap = BootstrapOptions{.resamples = options.resamples};
}

Dataset open_scored(const Options& options) {
  if (options.metadata.empty())
    return open_data(options.data, options.split.empty() ? "val" : options.split, options.layout);
  Dataset data = open_wsol_lists(options.metadata, options.split.empty() ? "test" : options.split, options.image_root,
                                 options.mask_root);
  for (const std::string& note : data.notes) say("note: " + note);
  return data;
}

// One line of the table: the maps' figure, and those of the baselines that look at nothing.
void print_line(const std::string& name, const std::optional<double>& maps, const std::optional<double>& centre = {},
                const std::optional<double>& whole = {}) {
  if (!maps) return;
  const auto cell = [](const std::optional<double>& value) {
    const std::string text = value ? fixed_text(*value, 2) : "";
    return std::string(14 - std::min<std::size_t>(14, text.size()), ' ') + text;
  };
  std::string line =
      name + std::string(26 - std::min<std::size_t>(26, name.size()), ' ') + cell(maps) + cell(centre) + cell(whole);
  line.erase(line.find_last_not_of(' ') + 1);
  std::cout << line << "\n";
}

void print_table(const Options& options, const Dataset& data, const MapScores& scores,
                 const std::optional<CentreBaseline>& baseline) {
  std::cout << "maps " << options.score.maps << ": " << scores.images << " of " << data.samples.size()
            << " pictures of " << data.root.string() << " (" << data.split << "), protocol " << options.protocol;
  if (scores.missing > 0) std::cout << ", " << scores.missing << " without a map left out";
  if (scores.without_truth > 0) std::cout << ", " << scores.without_truth << " without a box or mask left out";
  std::cout << "\n\n" << std::string(26, ' ') << "          maps";
  if (baseline) std::cout << "    centre box   whole image";
  std::cout << "\n";
  print_line("MaxBoxAcc", scores.max_box_acc, baseline ? std::optional(baseline->max_box_acc) : std::nullopt,
             baseline ? std::optional(baseline->gt_known_whole) : std::nullopt);
  if (scores.max_box_acc_at && baseline) {
    const auto& deltas = MaxBoxAcc::deltas;
    std::array<double, deltas.size()> whole{};  // one box, at every threshold
    for (std::size_t d = 0; d < deltas.size(); ++d)
      whole[d] = percent_found(whole_box(options.score.side, options.score.side), scores.truth_on_grid, deltas[d]);
    print_line("MaxBoxAccV2", scores.max_box_acc_v2, baseline->max_box_acc_v2, (whole[0] + whole[1] + whole[2]) / 3);
    for (std::size_t d = 0; d < deltas.size(); ++d)
      print_line("  at IoU " + number_text(deltas[d]), (*scores.max_box_acc_at)[d], baseline->at_deltas[d], whole[d]);
  }
  print_line("PxAP", scores.pxap);
  print_line("GT-known", scores.gt_known_loc);
  print_line("GT-known, no blacklist", scores.gt_known_loc_listed);
  print_line("CorLoc, mean of classes", scores.corloc);
  if (scores.best_threshold)
    std::cout << "\nMaxBoxAcc at threshold " << number_text(rounded_threshold(*scores.best_threshold)) << "\n";
  if (!scores.intervals) return;
  std::cout << "\n95 % of " << options.resamples << " resamples of the pictures, at the same thresholds\n";
  const auto print_interval = [](const std::string& name, const std::optional<Interval>& interval) {
    if (interval)
      std::cout << "  " << name << " " << fixed_text(interval->low, 2) << " to " << fixed_text(interval->high, 2)
                << "\n";
  };
  print_interval("MaxBoxAcc", scores.intervals->of(Rate::max_box_acc));
  print_interval("MaxBoxAccV2", scores.intervals->max_box_acc_v2);
  print_interval("GT-known", scores.intervals->of(Rate::gt_known));
}

int run_score(Options& options) {
  read_names(options);
  if (options.data.empty() == options.metadata.empty())
    throw UsageError("give --data or --metadata, the boxes or masks to measure with");
  if (options.metadata.empty() && !(options.image_root.empty() && options.mask_root.empty()))
    throw UsageError("--image-root and --mask-root belong to --metadata");
  options.compute.use();
  options.score.stop_requested = interrupted;
  const Dataset data = open_scored(options);
  if (!options.out.empty()) prepare_output_file(options.out);

  MapScores scores;
  {
    Progress progress("score");
    options.score.progress = progress.callback();
    scores = score_maps(data, options.score);
  }
  for (const std::string& id : scores.missing_ids) say("note: no map for " + id);
  if (scores.missing > static_cast<std::int64_t>(scores.missing_ids.size()))
    say("note: no map for " + std::to_string(scores.missing) + " pictures in all");
  std::optional<CentreBaseline> baseline;
  if (!scores.truth_on_grid.empty())
    baseline = centre_baseline(scores.truth_on_grid, options.score.step, options.score.side);
  print_table(options, data, scores, baseline);

  if (!options.out.empty()) {
    auto json = nlohmann::ordered_json::parse(to_json(scores));
    json["centre_box"] = baseline ? to_json(*baseline) : nlohmann::ordered_json();
    json["maps"] = options.score.maps;
    json["data"] = (options.metadata.empty() ? options.data : options.metadata).string();
    json["split"] = data.split;
    json["protocol"] = options.protocol;
    json["resize"] = options.score.side;
    json["step"] = options.score.step;
    json["normalise"] = options.score.normalisation ? name_of(*options.score.normalisation) : "";
    json["box_rule"] = options.score.box_rule ? name_of(*options.score.box_rule) : "";
    // A path need not be UTF-8; JSON has to be.
    write_file_atomically(options.out, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return exit_done;
}

}  // namespace

Command add_score(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("score", "measure maps in .npy files, whoever made them, or a baseline");
  app->add_option("--maps", options->score.maps, "folder of <image id>.npy; or center, or whole")
      ->required()
      ->type_name("DIR");
  CLI::Option* data =
      app->add_option("--data", options->data, "folder of a data set with boxes or masks")->type_name("DIR");
  app->add_option("--metadata", options->metadata, "wsolevaluation's lists instead: the folder that holds the splits")
      ->type_name("DIR")
      ->excludes(data);
  app->add_option("--image-root", options->image_root, "pictures of --metadata; opened only where sizes are not listed")
      ->type_name("DIR");
  app->add_option("--mask-root", options->mask_root, "masks of --metadata; the image root if not given")
      ->type_name("DIR");
  app->add_option("--split", options->split, "part of the data: val by default, with --metadata test");
  add_layout_option(*app, options->layout);
  app->add_option("--protocol", options->protocol,
                  "wsol: MaxBoxAcc, V2, PxAP; cam: GT-known of --box-rule; ilsvrc: that, and without the blacklist")
      ->capture_default_str();
  app->add_option("--box-rule", options->box_rule, "how a map becomes one box, NAME[:THRESHOLD]; cam-paper if needed")
      ->type_name("RULE");
  app->add_option("--normalise", options->normalisation, "min-max, max, pas or ivr, with :PERCENTILE for the last two")
      ->type_name("NAME");
  app->add_option("--resize", options->score.side, "side of the grid of MaxBoxAcc and PxAP, pixels")
      ->capture_default_str()
      ->check(number("in [1, 4096]", [](double side) { return side >= 1 && side <= 4096; }));
  app->add_option("--step", options->score.step, "between thresholds")
      ->capture_default_str()
      ->check(number("in [0.00002, 1]", [](double step) { return step >= 0.00002 && step <= 1; }));
  app->add_flag("--allow-missing", options->score.allow_missing, "leave out pictures that have no map");
  app->add_option("--ci", options->resamples, "resamples for 95 % confidence intervals; 0: none")
      ->capture_default_str()
      ->check(number("in [0, 1000000]", [](double n) { return n >= 0 && n <= 1e6; }));
  app->add_option("--out", options->out, "write the figures and curves there, as JSON")->type_name("FILE");
  add_threads_option(*app, options->compute);
  app->footer(
      "A map is a 2-D array of float16, 32 or 64, of any size, of the true class. Figures are percent. wsol: maps are\n"
      "resized (bicubic) and min-max normalised; one threshold for the whole set, the best one. Centre box: a centred\n"
      "square, which looks at nothing.");
  return {app, [options] { return run_score(*options); }};
}

}  // namespace acol
