// Weights from files: a torchvision-named file, and a model file and back.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "acol/train/model.h"
#include "autograd/ops.h"
#include "tests/small_network.h"

using namespace acol;
using namespace acol::testing;

namespace fs = std::filesystem;

namespace {

// A file in a folder of this process, which goes when the tests end.
std::string scratch_file(const std::string& name) {
  struct Folder {
    fs::path path = fs::temp_directory_path() / message("acol_test_model_file.", getpid());
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
  };
  static const Folder folder;
  return (folder.path / name).string();
}

}  // namespace

TEST_CASE("torchvision-named weights load into the trunk, heads stay, the rest is told") {
  Network source(small_config("vgg11_bn"));
  randomise(source, 12);
  SafetensorsFile file;
  for (const NamedParameter& parameter : source.parameters())
    if (parameter.name.starts_with("features."))
      file.tensors[parameter.name] = parameter.variable.shape().rank() == 4 ? filter_to_file(parameter.variable.value())
                                                                            : parameter.variable.value();
  for (const NamedBuffer& buffer : source.buffers()) file.tensors[buffer.name] = buffer.tensor;
  const SafetensorsFile trunk_only = file;
  file.tensors["classifier.0.weight"] = Tensor::zeros({8, 98});
  file.tensors["classifier.0.bias"] = Tensor::zeros({8});
  file.tensors["classifier_a.4.weight"] = Tensor::zeros({9, 24, 1, 1});  // a head for nine classes: of no use here
  write_safetensors(scratch_file("torchvision.safetensors"), file);

  Network network(small_config("vgg11_bn"));
  randomise(network, 13);
  const Tensor head_before = parameter_of(network, "classifier_a.4.weight").value().clone();
  const WeightsReport report = load_pretrained(network, scratch_file("torchvision.safetensors"));
  CHECK(report.ignored ==
        std::vector<std::string>{"classifier.0.bias", "classifier.0.weight", "classifier_a.4.weight"});
  CHECK(report.kept.size() == 12);
  CHECK(
      std::all_of(report.kept.begin(), report.kept.end(), [](const auto& n) { return n.starts_with("classifier_"); }));
  CHECK(report.loaded.size() == 8 * 6);
  for (const NamedParameter& parameter : source.parameters()) {
    INFO(parameter.name);
    const bool in_file = parameter.name.starts_with("features.");
    if (in_file) CHECK(same_bits(parameter_of(network, parameter.name).value(), parameter.variable.value()));
  }
  for (std::size_t i = 0; i < source.buffers().size(); ++i)
    CHECK(same_bits(network.buffers()[i].tensor, source.buffers()[i].tensor));
  CHECK(same_bits(parameter_of(network, "classifier_a.4.weight").value(), head_before));

  SafetensorsFile broken = trunk_only;
  broken.tensors.erase("features.8.weight");
  write_safetensors(scratch_file("missing.safetensors"), broken);
  CHECK_THROWS_WITH_AS(load_pretrained(network, scratch_file("missing.safetensors")),
                       doctest::Contains("features.8.weight"), Error);
  broken = trunk_only;
  broken.tensors["features.8.weight"] = Tensor::zeros({6, 3, 3, 4});
  write_safetensors(scratch_file("shape.safetensors"), broken);
  CHECK_THROWS_WITH_AS(load_pretrained(network, scratch_file("shape.safetensors")),
                       doctest::Contains("features.8.weight"), Error);
  CHECK_THROWS_AS(load_pretrained(network, scratch_file("none.safetensors")), Error);
}

TEST_CASE("a model file brings back every bit, the classes and the preprocessing") {
  TrainConfig config = preset_config(Preset::scratch);
  config.network = small_config("vgg11_bn");
  config.network.erase_threshold = 0.7;
  config.preprocessing.resize = 40;
  config.preprocessing.crop = 33;
  config.preprocessing.resize_mode = ResizeMode::warp;
  config.preprocessing.mean = {0.1f, 0.2f, 0.3f};
  config.seed = 0xFFFFFFFFFFFFFFFFu;
  const std::vector<std::string> ids{"n01", "n02", "n\"3"}, names{"tench, Tinca", "goldfish", "große \\ Möwe"};
  Model model = make_model(config, ids, names);
  CHECK(model.network->config().classes == 3);
  randomise(*model.network, 16);
  model.training = R"({"epoch":3})";
  const std::string path = scratch_file("model.safetensors");
  write_safetensors(path, model_file(model));

  const Model loaded = load_model(path);
  CHECK(loaded.class_ids == ids);
  CHECK(loaded.class_names == names);
  CHECK(loaded.config.preprocessing == config.preprocessing);
  CHECK(loaded.config.network == model.config.network);
  CHECK(to_json(loaded.config) == to_json(model.config));
  CHECK(loaded.config.seed == config.seed);
  CHECK(loaded.training == model.training);
  const auto before = model.network->parameters(), after = loaded.network->parameters();
  REQUIRE(before.size() == after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    INFO(before[i].name);
    CHECK(before[i].name == after[i].name);
    CHECK(same_bits(before[i].variable.value(), after[i].variable.value()));
  }
  REQUIRE(model.network->buffers().size() == 16);
  for (std::size_t i = 0; i < 16; ++i)
    CHECK(same_bits(model.network->buffers()[i].tensor, loaded.network->buffers()[i].tensor));
  model.network->set_training(false);
  CHECK_FALSE(loaded.network->training());
  const Variable images(pictures(1, DType::float32));
  CHECK(same_bits(model.network->forward(images).value(), loaded.network->forward(images).value()));

  const Model card = read_model_card(path);
  CHECK(card.network == nullptr);
  CHECK(card.class_names == names);

  SafetensorsFile broken = model_file(model);
  broken.tensors.erase("classifier_b.2.bias");
  write_safetensors(path, broken);
  CHECK_THROWS_WITH_AS(load_model(path), doctest::Contains("classifier_b.2.bias"), Error);
  broken = model_file(model);
  broken.metadata["acol_model"].resize(40);
  write_safetensors(path, broken);
  CHECK_THROWS_WITH_AS(load_model(path), doctest::Contains("model.safetensors"), Error);
  broken.metadata.erase("acol_model");
  write_safetensors(path, broken);
  CHECK_THROWS_WITH_AS(load_model(path), doctest::Contains("acol_model"), Error);
}
