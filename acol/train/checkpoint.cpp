#include "acol/train/checkpoint.h"

#include <nlohmann/json.hpp>

#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

const std::string prefix = "optimizer.";

TrainState state_from_json(const std::string& text, const fs::path& path) {
  try {
    const Json json = Json::parse(text);
    check(json.contains("batch"), path.string(),
          " holds no training state to go on from; resume from a run's last.safetensors");
    TrainState state;
    json.at("step").get_to(state.step);
    json.at("epoch").get_to(state.epoch);
    json.at("batch").get_to(state.batch);
    const Json& sums = json.at("sums");
    sums.at("images").get_to(state.sums.images);
    sums.at("wrong").get_to(state.sums.wrong);
    sums.at("images_b").get_to(state.sums.images_b);
    sums.at("loss_a").get_to(state.sums.loss_a);
    sums.at("loss_b").get_to(state.sums.loss_b);
    if (!json.at("best_error").is_null()) state.best_error = json.at("best_error").get<double>();
    json.at("data").get_to(state.data);
    json.at("simd").get_to(state.simd);
    check(state.step >= 0 && state.epoch >= 0 && state.batch >= 0, path.string(),
          ": negative position in its training state");
    return state;
  } catch (const Json::exception& error) {
    fail(path.string(), ": damaged acol_training entry: ", error.what());
  }
}

}  // namespace

std::string to_json(const TrainState& state) {
  Json json;
  json["step"] = state.step;
  json["epoch"] = state.epoch;
  json["batch"] = state.batch;
  json["sums"] = {{"images", state.sums.images},
                  {"wrong", state.sums.wrong},
                  {"images_b", state.sums.images_b},
                  {"loss_a", state.sums.loss_a},
                  {"loss_b", state.sums.loss_b}};
  json["best_error"] = state.best_error ? Json(*state.best_error) : Json();
  json["data"] = state.data;
  json["simd"] = state.simd;
  return json.dump();
}

void save_checkpoint(const fs::path& path, Model& model, Sgd& optimizer, const TrainState& state) {
  model.training = to_json(state);
  SafetensorsFile file = model_file(model);
  for (const auto& [name, velocity] : optimizer.velocities())
    file.tensors[prefix + name] = velocity.shape().rank() == 4 ? filter_to_file(velocity) : velocity;
  write_safetensors(path, file);
}

Checkpoint load_checkpoint(const fs::path& path) {
  SafetensorsReader file(path);
  Model model = model_from_file(file);
  TrainState state = state_from_json(model.training, path);
  return {std::move(model), std::move(state), std::move(file)};
}

void restore_velocities(Sgd& optimizer, const Checkpoint& checkpoint, const fs::path& path) {
  const SafetensorsReader& file = checkpoint.file;
  for (auto& [name, velocity] : optimizer.velocities()) {
    check(file.contains(prefix + name), path.string(), ": tensor ", prefix, name,
          " is missing; resume from a run's last.safetensors");
    Tensor numbers = velocity;
    if (numbers.shape().rank() == 4)
      file.read_filter_into(prefix + name, numbers);
    else
      file.read_into(prefix + name, numbers);
  }
}

}  // namespace acol
