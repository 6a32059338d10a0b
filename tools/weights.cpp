// acol weights: what is in a file of weights, and conversion of trained networks.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>

#include "acol/train/convert.h"
#include "command.h"
#include "tensor/safetensors_header.h"  // printable()
#include "weights_flag.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

const std::map<std::string, WeightNames> names_by_flag{{"acol", WeightNames::acol},
                                                       {"torchvision", WeightNames::torchvision},
                                                       {"official", WeightNames::official},
                                                       {"hal", WeightNames::hal_or_wsol},
                                                       {"wsol", WeightNames::hal_or_wsol}};

struct Options {
  fs::path file;
  ConvertOptions how;  // its arch is list's, too
  // convert
  CLI::App* convert = nullptr;
  fs::path in, out, classes_file;
  std::string names = "acol";
  std::vector<CLI::Option*> describing;  // what a file with a model card says itself
  CLI::Option* names_given = nullptr;
};

void line(const std::string& label, const std::string& text) {
  std::cout << std::left << std::setw(10) << label << text << "\n";
}

std::string listed(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += "; " + text;
  return all;
}

// "138,357,544"
std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

// What the file is for, in a few words.
std::string use_of(const WeightFile& file, const WeightMatch& match, const std::string& arch) {
  if (!match.trunk_problem.empty()) return "the file " + match.trunk_problem;
  try {
    const NetworkConfig net = network_of(file, arch);
    return message(name_of(net.method), ", ", net.arch, ", width ", number_text(net.width), ", ", net.classes,
                   " classes");
  } catch (const Error&) {
    return "trunk of " + arch + ", no classifier that fits; for acol train --weights";
  }
}

int list(const Options& options) {
  const WeightFile file(options.file);
  std::string arch = options.how.arch;
  try {
    if (arch.empty()) arch = architecture_of(file);
  } catch (const Error&) {
    arch = "vgg16";  // the comparison with it says what is wrong
  }
  const WeightMatch match = match_weights(file, arch);
  std::map<std::string, std::string> ours;  // by the file's name
  for (const auto& [own, theirs] : match.file_name) ours[theirs] = own;

  std::int64_t numbers = 0;
  std::size_t name_width = 4, shape_width = 5;
  constexpr std::size_t widest_column = 80;  // longer ones break the table; the file could claim any
  for (const WeightEntry& entry : file.entries()) {
    numbers += entry.count();
    name_width = std::max(name_width, std::min(widest_column, entry.stored_name.size()));
    shape_width = std::max(shape_width, std::min(widest_column, entry.shape_text().size()));
  }
  line("file", options.file.string());
  line("format", file.format() + listed(file.notes()));
  line("names", describe(match.names));
  line("network", use_of(file, match, arch));
  line("tensors", message(file.entries().size(), ", ", grouped(numbers), " numbers"));
  line("matched", message(ours.size(), "; unmatched ", file.entries().size() - ours.size()));
  if (match.names == WeightNames::caffe)
    line("note", "Caffe trained these on BGR: acol train --weights-preprocessing caffe");
  std::cout << "\n";
  const auto row = [&](const std::string& name, const std::string& type, const std::string& shape,
                       const std::string& parameter) {
    std::cout << std::left << std::setw(static_cast<int>(name_width) + 2) << name << std::setw(6) << type
              << std::setw(static_cast<int>(shape_width) + 2) << shape << parameter << "\n";
  };
  row("name", "type", "shape", "parameter of acol");
  for (const WeightEntry& entry : file.entries()) {
    const auto found = ours.find(entry.name);
    row(printable(entry.stored_name), entry.dtype, entry.shape_text(), found == ours.end() ? "-" : found->second);
  }
  return exit_done;
}

int convert(Options& options) {
  const std::string ending = options.out.extension().string();
  const bool to_pth = ending == ".pth" || ending == ".pt";
  if (!to_pth && ending != ".safetensors")
    throw UsageError("OUT must end in .safetensors (a model file) or .pth, got " + options.out.string());
  if (!to_pth && options.names_given->count() > 0)
    throw UsageError("--names is for a .pth; a model file has acol's own names");
  const WeightFile file(options.in);
  if (has_model_card(file))
    for (const CLI::Option* option : options.describing)
      if (option->count() > 0)
        throw UsageError(options.in.string() + " says itself what it is: leave " + option->get_name() + " away");
  if (!options.classes_file.empty())
    read_class_list(options.classes_file, options.how.class_ids, options.how.class_names);
  prepare_output_file(options.out);
  const Model model = model_from_weights(file, options.how);
  std::vector<std::string> left_out;
  if (to_pth)
    left_out = write_model_as_pth(options.out, model, names_by_flag.at(options.names));
  else
    write_safetensors(options.out, model_file(model));
  const NetworkConfig& net = model.config.network;
  std::cout << options.out.string() << ": " << name_of(net.method) << ", " << net.arch << ", width "
            << number_text(net.width) << ", map stride " << net.map_stride << ", " << net.classes << " classes; from "
            << file.format() << listed(file.notes()) << "\n";
  if (!left_out.empty())
    say(message("note: ", left_out.size(), " tensors have no place among the names of ", options.names,
                " and were left out: ", left_out.front(), " ..."));
  return exit_done;
}

void add_convert(CLI::App& parent, Options& options) {
  CLI::App* app =
      parent.add_subcommand("convert", "a trained ACoL or CAM of PyTorch to a model file of acol, and back");
  options.convert = app;
  app->add_option("IN", options.in, ".pth or .safetensors with trunk and classifiers")->required()->type_name("FILE");
  app->add_option("OUT", options.out, ".safetensors: a model for acol eval and the rest; .pth: for torch.load()")
      ->required()
      ->type_name("FILE");
  options.names_given =
      app->add_option("--names", options.names,
                      "of a .pth: acol, torchvision (the trunk alone), official (cls, cls_erase), hal or wsol "
                      "(classifier_A, classifier_B)")
          ->capture_default_str()
          ->check(CLI::IsMember(names_by_flag));
  const std::string group = "What a file of PyTorch does not say";
  const auto add = [&](CLI::Option* option) {
    option->group(group);
    options.describing.push_back(option);
    return option;
  };
  ConvertOptions& how = options.how;
  add(app->add_option("--classes-file", options.classes_file,
                      "one class a line, in label order: an id, a tab, a name. Default: 0, 1, ...")
          ->type_name("FILE"));
  add(app->add_option("--arch", how.arch, "trunk. Default: by its number of convolutions")
          ->check(CLI::IsMember(known_architectures())));
  add(app->add_option("--width", how.width, "factor on all channel counts. Default: by them")
          ->check(number("in (0, 4]", [](double value) { return value > 0 && value <= 4; })));
  add(app->add_option("--map-stride", how.map_stride, "8, or 16 as wsolevaluation without large_feature_map")
          ->capture_default_str()
          ->check(CLI::IsMember({8, 16})));
  add(app->add_option("--erase-threshold", how.erase_threshold, "0.6 in the official code, 0.7 in hal and wsol")
          ->capture_default_str()
          ->check(number("in [0, 1]", [](double value) { return value >= 0 && value <= 1; })));
  add(app->add_option("--resize", how.preprocessing.resize, "side of training pictures before the crop, pixels")
          ->capture_default_str()
          ->check(at_least(1)));
  add(app->add_option_function<std::string>(
             "--resize-mode",
             [&how](const std::string& name) { how.preprocessing.resize_mode = parse_resize_mode(name); },
             "shorter: the shorter side, aspect kept, as the official code; warp: both, as hal and wsol")
          ->default_str(name_of(how.preprocessing.resize_mode))
          ->check(CLI::IsMember({name_of(ResizeMode::shorter_side), name_of(ResizeMode::warp)})));
  add(app->add_option("--crop", how.preprocessing.crop, "side of the network's input, pixels")
          ->capture_default_str()
          ->check(at_least(1)));
  add(add_weights_preprocessing_option(*app, how.trained_on));
}

}  // namespace

Command add_weights(CLI::App& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "weights", "what a file of weights (safetensors, .pth) holds and matches; convert: trained networks");
  app->add_option("FILE", options->file, ".safetensors, .pth")->type_name("FILE");
  app->add_option("--arch", options->how.arch, "trunk to compare with. Default: by the number of convolutions")
      ->check(CLI::IsMember(known_architectures()));
  add_convert(*app, *options);
  return {app, [options] {
            if (options->convert->parsed()) return convert(*options);
            if (options->file.empty()) throw UsageError("weights: FILE or convert is required");
            return list(*options);
          }};
}

}  // namespace acol
