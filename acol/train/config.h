// Every setting of a training run. Two presets fill it; flags of `acol train` change single fields.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "acol/data/transform.h"
#include "acol/network/config.h"
#include "acol/network/network.h"
#include "layers/schedule.h"

namespace acol {

// Which label's map of A chooses the hole that branch B trains with.
enum class EraseLabel {
  truth,      // the paper: the image's label. B can read the label off the hole (see acol/evaluate/probe.h)
  predicted,  // A's own answer
};

enum class Preset {
  paper,    // fine-tuning from ILSVRC weights: the official code's recipe
  scratch,  // from random weights: He, one rate for all, warm-up, cosine, clipping
};

struct TrainConfig {
  NetworkConfig network;  // .classes is taken from the data
  Preprocessing preprocessing;

  Preset preset = Preset::paper;
  Initialiser initialiser = Initialiser::xavier;
  int epochs = 6;
  int batch_size = 20;
  // Pictures that go through the network at a time; gradients of the parts of a batch add up to the whole's. 0: all.
  // The part, not the batch, is what batch norm sees and what memory grows with. Rounding differs, and so do the draws
  // of dropout.
  int micro_batch = 0;

  double rate = 1e-4;                                  // of the trunk's weights
  double bias_rate_factor = 2, head_rate_factor = 10;  // so: trunk x1, its biases x2, heads x10, their biases x20
  double momentum = 0.9;
  bool nesterov = true;
  double weight_decay = 5e-4;  // on biases and batch norm's weights too, as in the official code
  ScheduleKind schedule = ScheduleKind::constant;
  std::vector<int> decay_epochs;  // schedule `step`: rate x decay_factor at the start of these epochs (0 is the first);
                                  // none inside the warm-up
  double decay_factor = 0.1;
  double poly_power = 0.9;
  double warmup_epochs = 0;  // the rate grows linearly over so many epochs
  double clip_norm = 0;      // gradients longer than this (L2 over all parameters) are shortened to it; 0: never

  int erase_after = 0;  // epochs of plain CAM before B joins
  EraseLabel erase_label = EraseLabel::truth;

  std::uint64_t seed = 1;
};

// The fields that the preset decides; the rest is as in a default TrainConfig.
TrainConfig preset_config(Preset preset);

// Error that names the first setting outside its range.
void validate(const TrainConfig& config);

// All of it as a JSON object, and back. The second fills missing keys with the defaults above; an unknown key, a wrong
// type and a whole number that does not fit are Errors that name the key.
std::string to_json(const TrainConfig& config, int indent = -1);
TrainConfig train_config_from_json(const std::string& text);

const char* name_of(EraseLabel label);  // "truth", "predicted"
const char* name_of(Preset preset);     // "paper", "scratch"
const char* name_of(Initialiser kind);  // "xavier", "he"
const char* name_of(ResizeMode mode);   // "shorter", "warp"
EraseLabel parse_erase_label(const std::string& name);
Preset parse_preset(const std::string& name);
Initialiser parse_initialiser(const std::string& name);
ResizeMode parse_resize_mode(const std::string& name);

}  // namespace acol
