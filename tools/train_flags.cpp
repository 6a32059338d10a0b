#include "train_flags.h"

#include <iomanip>
#include <sstream>
#include <type_traits>

#include "command.h"

namespace acol {

namespace {

// Text of a field, the same for equal values only.
std::string text_of(int value) { return std::to_string(value); }
std::string text_of(std::uint64_t value) { return std::to_string(value); }
std::string text_of(double value) { return number_text(value); }
std::string text_of(bool value) { return value ? "yes" : "no"; }
std::string text_of(const std::string& value) { return value; }
std::string text_of(const std::vector<int>& values) {
  std::string text;
  for (const int value : values) text += (text.empty() ? "" : ",") + std::to_string(value);
  return text.empty() ? "none" : text;
}
std::string text_of(ScheduleKind value) { return std::string(schedule_kind_name(value)); }
template <class Enum>
requires std::is_enum_v<Enum> std::string text_of(Enum value) { return name_of(value); }

void parse(const std::string& text, Method& value) { value = parse_method(text); }
void parse(const std::string& text, CamForm& value) { value = parse_cam_form(text); }
void parse(const std::string& text, EraseLabel& value) { value = parse_erase_label(text); }
void parse(const std::string& text, Preset& value) { value = parse_preset(text); }
void parse(const std::string& text, Initialiser& value) { value = parse_initialiser(text); }
void parse(const std::string& text, ResizeMode& value) { value = parse_resize_mode(text); }
void parse(const std::string& text, ScheduleKind& value) { value = parse_schedule_kind(text); }

CLI::Validator positive() {
  return number("> 0", [](double value) { return value > 0; });
}
CLI::Validator not_negative() {
  return number(">= 0", [](double value) { return value >= 0; });
}
CLI::Validator below_one() {
  return number("in [0, 1)", [](double value) { return value >= 0 && value < 1; });
}

}  // namespace

template <class Get>
CLI::Option* TrainFlags::add(CLI::App& app, const std::string& flag, const std::string& help, Get get) {
  auto& value = get(given_);
  using T = std::remove_reference_t<decltype(value)>;
  CLI::Option* option = nullptr;
  if constexpr (std::is_enum_v<T>) {
    option = app.add_option_function<std::string>(
        flag, [&value](const std::string& text) { parse(text, value); }, help);
    option->check(CLI::Validator(
        [](std::string& text) -> std::string {
          try {
            T ignored;
            parse(text, ignored);
            return "";
          } catch (const Error& error) {
            return error.what();
          }
        },
        ""));
  } else if constexpr (std::is_same_v<T, bool>) {
    option = app.add_flag(flag, value, help);
  } else {
    option = app.add_option(flag, value, help);
  }
  const auto copy = [this, get](TrainConfig& to) { get(to) = get(given_); };
  const auto text = [get](const TrainConfig& from) { return text_of(get(from)); };
  fields_.push_back({flag.substr(0, flag.find(',')), option, copy, text});
  return option;
}

TrainFlags::TrainFlags(CLI::App& app) {
  const auto architectures = known_architectures();
  add(
      app, "--preset", "paper or scratch. Default: paper with --weights, else scratch",
      [](auto& c) -> auto& { return c.preset; });

  const std::string net = "Network (defaults: the table below)";
  add(
      app, "--method", "acol, or cam: one branch, nothing erased", [](auto& c) -> auto& { return c.network.method; })
      ->group(net);
  add(
      app, "--arch", "trunk", [](auto& c) -> auto& { return c.network.arch; })
      ->group(net)
      ->check(CLI::IsMember(architectures));
  add(
      app, "--width", "factor on all channel counts", [](auto& c) -> auto& { return c.network.width; })
      ->group(net)
      ->check(number("in (0, 4]", [](double value) { return value > 0 && value <= 4; }));
  add(
      app, "--map-stride", "input pixels a map pixel: 8, or 16 (faster)",
      [](auto& c) -> auto& { return c.network.map_stride; })
      ->group(net)
      ->check(CLI::IsMember({8, 16}));
  add(
      app, "--cam-form", "conv or fc: how evaluation computes logits and maps; equal results",
      [](auto& c) -> auto& { return c.network.cam_form; })
      ->group(net);
  add(
      app, "--dropout", "share of hidden numbers of the heads zeroed in training",
      [](auto& c) -> auto& { return c.network.dropout; })
      ->group(net)
      ->check(below_one());
  add(
      app, "--init", "he or xavier: random start of the weights", [](auto& c) -> auto& { return c.initialiser; })
      ->group(net);

  const std::string erase = "Erasing (defaults: the table below)";
  add(
      app, "--erase-threshold", "B loses the features where A's map is at least this",
      [](auto& c) -> auto& { return c.network.erase_threshold; })
      ->group(erase)
      ->check(number("in [0, 1]", [](double value) { return value >= 0 && value <= 1; }));
  add(
      app, "--erase-after", "epochs of plain CAM before B joins", [](auto& c) -> auto& { return c.erase_after; })
      ->group(erase)
      ->check(at_least(0));
  add(
      app, "--erase-label", "truth or predicted: whose map cuts the hole in training",
      [](auto& c) -> auto& { return c.erase_label; })
      ->group(erase);

  const std::string input = "Pictures (defaults: the table below)";
  add(
      app, "--resize", "side after resizing, pixels", [](auto& c) -> auto& { return c.preprocessing.resize; })
      ->group(input)
      ->check(at_least(1));
  add(
      app, "--crop", "side of the network's input, pixels", [](auto& c) -> auto& { return c.preprocessing.crop; })
      ->group(input)
      ->check(at_least(1));
  add(
      app, "--resize-mode", "shorter: the shorter side, aspect kept; warp: both",
      [](auto& c) -> auto& { return c.preprocessing.resize_mode; })
      ->group(input);
  add(
      app, "--flip,!--no-flip", "mirror every other picture, or none",
      [](auto& c) -> auto& { return c.preprocessing.flip; })
      ->group(input);

  const std::string recipe = "Recipe (defaults: the table below)";
  add(
      app, "--epochs", "passes over the training pictures", [](auto& c) -> auto& { return c.epochs; })
      ->group(recipe)
      ->check(at_least(1));
  add(
      app, "--batch-size", "pictures a step", [](auto& c) -> auto& { return c.batch_size; })
      ->group(recipe)
      ->check(at_least(1));
  add(
      app, "--micro-batch", "pictures in the network at a time; 0: the whole batch. Saves memory",
      [](auto& c) -> auto& { return c.micro_batch; })
      ->group(recipe)
      ->check(at_least(0));
  add(
      app, "--lr", "learning rate of the trunk's weights", [](auto& c) -> auto& { return c.rate; })
      ->group(recipe)
      ->check(positive());
  add(
      app, "--bias-lr-factor", "times --lr for biases", [](auto& c) -> auto& { return c.bias_rate_factor; })
      ->group(recipe)
      ->check(not_negative());
  add(
      app, "--head-lr-factor", "times --lr for the heads", [](auto& c) -> auto& { return c.head_rate_factor; })
      ->group(recipe)
      ->check(not_negative());
  add(
      app, "--momentum", "of SGD", [](auto& c) -> auto& { return c.momentum; })
      ->group(recipe)
      ->check(below_one());
  add(
      app, "--nesterov,!--no-nesterov", "Nesterov's momentum, or plain", [](auto& c) -> auto& { return c.nesterov; })
      ->group(recipe);
  add(
      app, "--weight-decay", "L2, on all parameters", [](auto& c) -> auto& { return c.weight_decay; })
      ->group(recipe)
      ->check(not_negative());
  add(
      app, "--schedule", "constant, step, poly or cosine", [](auto& c) -> auto& { return c.schedule; })
      ->group(recipe);
  add(
      app, "--decay-epochs", "step: epochs that begin with a lower rate, as 30,60",
      [](auto& c) -> auto& { return c.decay_epochs; })
      ->group(recipe)
      ->delimiter(',')
      ->expected(1)
      ->check(at_least(1));
  add(
      app, "--decay-factor", "step: times the rate there", [](auto& c) -> auto& { return c.decay_factor; })
      ->group(recipe)
      ->check(positive());
  add(
      app, "--poly-power", "poly: rate x (1 - t/T)^power", [](auto& c) -> auto& { return c.poly_power; })
      ->group(recipe)
      ->check(positive());
  add(
      app, "--warmup-epochs", "the rate grows linearly over so many", [](auto& c) -> auto& { return c.warmup_epochs; })
      ->group(recipe)
      ->check(not_negative());
  add(
      app, "--clip-norm", "longest gradient (L2 over all parameters); 0: any",
      [](auto& c) -> auto& { return c.clip_norm; })
      ->group(recipe)
      ->check(not_negative());
  add(
      app, "--seed", "of the first weights, the order, the crops", [](auto& c) -> auto& { return c.seed; })
      ->group(recipe)
      ->check(at_least(0));
  app.footer(preset_table());
}

TrainConfig TrainFlags::config(Preset fallback) const {
  const bool chosen = fields_.front().option->count() > 0;
  return with_given(preset_config(chosen ? given_.preset : fallback));
}

TrainConfig TrainFlags::applied_to(const TrainConfig& base) const {
  if (fields_.front().option->count() > 0) throw UsageError("--preset: the other settings are given already");
  return with_given(base);
}

bool TrainFlags::given(const std::string& flag) const {
  for (const Field& field : fields_)
    if (field.flag == flag) return field.option->count() > 0;
  throw UsageError("there is no flag " + flag + " of acol train");
}

TrainConfig TrainFlags::with_given(TrainConfig config) const {
  for (const Field& field : fields_)
    if (field.option->count() > 0) field.apply(config);
  try {
    TrainConfig with_classes = config;
    with_classes.network.classes = 2;  // the data decide
    validate(with_classes);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  return config;
}

void TrainFlags::check_against(const TrainConfig& run) const {
  for (const Field& field : fields_)
    if (field.option->count() > 0 && field.text(given_) != field.text(run))
      throw UsageError(message(field.flag, " is ", field.text(given_), ", but the run to resume has ", field.text(run),
                               ": leave the flag away or start a new run in another --out"));
}

std::string TrainFlags::preset_table() const {
  const TrainConfig paper = preset_config(Preset::paper), scratch = preset_config(Preset::scratch);
  std::ostringstream out;
  out << "The presets in full (a flag changes its line; * where they differ):\n\n"
      << std::left << "  " << std::setw(20) << "flag" << std::setw(12) << "paper"
      << "scratch\n";
  for (const Field& field : fields_) {
    const std::string in_paper = field.text(paper), in_scratch = field.text(scratch);
    out << (in_paper != in_scratch ? "* " : "  ") << std::setw(20) << field.flag << std::setw(12) << in_paper
        << in_scratch << "\n";
  }
  out << "\npaper: fine-tuning from ILSVRC weights with the published code's recipe. scratch: from random weights.";
  return out.str();
}

void add_memory_option(CLI::App& app, MemoryMode& memory) {
  app.add_option_function<std::string>(
         "--memory", [&memory](const std::string& name) { memory = parse_memory_mode(name); },
         "plain, or lean: less of it for a little more work; the same weights. Saves most with a clip norm of 0")
      ->default_str("plain")
      ->check(CLI::IsMember({"plain", "lean"}));
}

void add_run_options(CLI::App& app, RunOptions& run) {
  app.add_option_function<std::int64_t>(
         "--cache-mb", [&run](const std::int64_t& mb) { run.cache_bytes = mb << 20; },
         "memory for pictures kept between epochs, MiB; 0: none")
      ->default_str(std::to_string(run.cache_bytes >> 20))
      ->check(number("in [0, 1048576]", [](double mb) { return mb >= 0 && mb <= 1048576; }));
  add_memory_option(app, run.memory);
  app.add_option("--save-every", run.save_every, "steps between two states saved; 0: each epoch")
      ->capture_default_str()
      ->check(at_least(0));
}

}  // namespace acol
