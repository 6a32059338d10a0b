// Other programs' weights: whose names they are, which parameter of ours each tensor is, and networks that PyTorch
// made, there and back.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "acol/train/convert.h"
#include "autograd/ops.h"
#include "tests/compare.h"
#include "tests/error_of.h"
#include "tests/golden_file.h"
#include "tests/program.h"
#include "tests/small_network.h"

using namespace acol;
using namespace acol::testing;

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

namespace {

std::string pth_path(const std::string& name) { return (golden_path("x").parent_path() / (name + ".pth")).string(); }

// Tensors of zeros under these names, as a safetensors file.
class Names {
 public:
  Names& operator()(const std::string& name, const Shape& shape) {
    file_.tensors[name] = Tensor::zeros(shape);
    return *this;
  }
  // The trunk of `arch`, its names mapped.
  Names& trunk(const std::string& arch, const std::function<std::string(const std::string&)>& name) {
    const Network network(small_config(arch));
    for (const NamedParameter& parameter : network.parameters()) {
      const Shape& s = parameter.variable.shape();
      if (!parameter.name.starts_with("features.")) continue;
      (*this)(name(parameter.name), s.rank() == 4 ? Shape{s[0], s[3], s[1], s[2]} : s);
    }
    return *this;
  }
  Names& trunk(const std::string& arch, const std::string& prefix = "") {
    return trunk(arch, [&](const std::string& name) { return prefix + name; });
  }
  void save(const fs::path& path) const { write_safetensors(path, file_); }
  WeightFile file() const {
    static const TemporaryFolder folder;
    static int number = 0;
    const fs::path path = folder / ("names" + std::to_string(number++) + ".safetensors");
    save(path);
    return WeightFile(path);
  }

 private:
  SafetensorsFile file_;
};

void check_error(const Words& words, int status, const std::string& part) {
  check_one_line_error(words, run_program(words), status, part);
}

}  // namespace

TEST_CASE("a PyTorch ACoL under each program's names: every bit of its weights, its maps and its logits") {
  const Golden golden("vgg16_acol");
  for (const char* name : {"pth_official", "pth_hal"}) {
    CAPTURE(name);
    const WeightFile file(pth_path(name));
    ConvertOptions options;
    options.class_ids = {"a", "b", "c", "d", "e"};
    const Model model = model_from_weights(file, options);
    CHECK(model.config.network.method == Method::acol);
    CHECK(model.config.network.arch == "vgg16");
    CHECK(model.config.network.width == 3.0 / 128);
    CHECK(model.class_names == options.class_ids);
    CHECK_FALSE(model.network->training());
    REQUIRE(model.network->parameters().size() == 38);
    for (const NamedParameter& parameter : model.network->parameters()) {
      CAPTURE(parameter.name);
      CHECK(same_bits(parameter.variable.value(), golden.parameter(parameter.name)));
    }
    // The tolerance of test_golden: a random walk of the roundings of 17 layers of at most 9 x 24 terms.
    const double tolerance = std::sqrt(17.0 * 9 * 24) * rounding;
    const NoGrad no_grad;
    const Variable features = model.network->features(Variable(golden["images"]));
    const Network::Branch a = model.network->branch_a(features);
    const Tensor heat = normalized_map(a.maps.value(), golden.labels("labels"));
    CHECK(relative_distance(a.maps.value(), golden["maps_a"]) <= tolerance);
    CHECK(relative_distance(a.logits.value(), golden["logits_a"]) <= tolerance);
    CHECK(relative_distance(model.network->branch_b(features, heat).maps.value(), golden["maps_b"]) <= tolerance);
  }
  ConvertOptions options;
  options.map_stride = 16;
  const Model coarse = model_from_weights(WeightFile(pth_path("pth_hal")), options);
  const NoGrad no_grad;
  const Network::Branch a = coarse.network->branch_a(coarse.network->features(Variable(golden["images"])));
  CHECK(relative_distance(a.maps.value(), golden["stride16_maps_a"]) <= std::sqrt(17.0 * 9 * 24) * rounding);
  CHECK(coarse.class_ids == std::vector<std::string>{"0", "1", "2", "3", "4"});
  options.class_ids = {"one"};
  CHECK(contains(error_of([&] { model_from_weights(WeightFile(pth_path("pth_hal")), options); }), "5 classes, but 1"));
  options = {};
  options.width = 0.5;
  CHECK(contains(error_of([&] { model_from_weights(WeightFile(pth_path("pth_hal")), options); }), "has shape"));
}

TEST_CASE("a trunk whose numbers are shifted by a missing pool loads by its order") {
  const Golden golden("vgg16_acol");
  const WeightFile file(pth_path("pth_shifted"));
  CHECK(file.find("features.27.weight") != nullptr);
  NetworkConfig config = small_config("vgg16");
  Network network(config);
  const WeightsReport report = load_pretrained(network, file);
  CHECK(report.loaded.size() == 26);
  CHECK(report.ignored.empty());
  CHECK(report.kept.size() == 12);
  CHECK(report.notes == std::vector<std::string>{"entry 'model'"});
  for (const NamedParameter& parameter : network.parameters())
    if (parameter.name.starts_with("features."))
      CHECK(same_bits(parameter.variable.value(), golden.parameter(parameter.name)));
}

TEST_CASE("names of every program are told apart") {
  const auto names_of = [](const Names& names, const std::string& arch = "vgg16") {
    return match_weights(names.file(), arch).names;
  };
  const auto head = [](Names& names, const std::string& prefix) {
    names(prefix + ".0.weight", {24, 12, 3, 3})(prefix + ".2.weight", {24, 24, 3, 3})(prefix + ".4.weight",
                                                                                      {4, 24, 1, 1});
    for (const char* number : {".0", ".2"}) names(prefix + number + ".bias", {24});
    names(prefix + ".4.bias", {4});
  };
  CHECK(names_of(Names().trunk("vgg16")) == WeightNames::torchvision);
  CHECK(names_of(Names().trunk("vgg16")("classifier.0.weight", {8, 98})("classifier.3.weight", {8, 8})) ==
        WeightNames::torchvision);
  CHECK(names_of(Names().trunk("vgg16")("classifier.1.weight", {8, 98})("classifier.4.weight", {8, 8})) ==
        WeightNames::caffe);
  CHECK(names_of(Names().trunk("vgg16")("pre_logits.fc1.weight", {8, 2, 7, 7})("head.fc.weight", {8, 8})) ==
        WeightNames::timm);
  CHECK(names_of(Names().trunk("vgg16")("conv6.weight", {8, 2, 3, 3})("fc.weight", {8, 8})) == WeightNames::wsol_cam);
  CHECK(names_of(Names()("layer1.0.conv1.weight", {8, 2, 3, 3})) == WeightNames::unknown);
  Names official, hal, own, dropout;
  for (const char* prefix : {"cls", "cls_erase"}) head(official.trunk("vgg16"), prefix);
  for (const char* prefix : {"classifier_A", "classifier_B"}) head(hal.trunk("vgg16"), prefix);
  head(own.trunk("vgg16"), "classifier_a");
  CHECK(names_of(official) == WeightNames::official);
  CHECK(names_of(hal) == WeightNames::hal_or_wsol);
  CHECK(names_of(own) == WeightNames::acol);
  CHECK(network_of(official.file()).method == Method::acol);
  CHECK(network_of(own.file()).method == Method::cam);
  CHECK(network_of(own.file()).classes == 4);
  // With the dropout layers that the official code has commented out, the numbers are 1, 4 and 6.
  dropout.trunk("vgg16")("cls.1.weight", {24, 12, 3, 3})("cls.4.weight", {24, 24, 3, 3})("cls.6.weight", {4, 24, 1, 1});
  CHECK(match_weights(dropout.file(), "vgg16").file_name.at("classifier_a.2.weight") == "cls.4.weight");

  for (const std::string& arch : known_architectures()) {
    CAPTURE(arch);
    CHECK(architecture_of(Names().trunk(arch).file()) == arch);
  }
  CHECK(renamed("classifier_b.4.bias", WeightNames::official) == "cls_erase.4.bias");
  CHECK(renamed("classifier_a.0.weight", WeightNames::hal_or_wsol) == "classifier_A.0.weight");
  CHECK(renamed("features.28.bias", WeightNames::torchvision) == "features.28.bias");
  CHECK(renamed("classifier_a.0.weight", WeightNames::torchvision) == "");
}

TEST_CASE("prefixes of wrappers go") {
  for (const char* prefix : {"module.", "model.", "module.backbone."}) {
    CAPTURE(prefix);
    const WeightFile file = Names().trunk("vgg11", prefix)("other.weight", {1}).file();
    CHECK(match_weights(file, "vgg11").file_name.size() == 16);
    CHECK(file.find("other.weight") != nullptr);
  }
  const WeightFile inner =
      Names().trunk("vgg11", [](const std::string& name) { return "features.module." + name.substr(9); }).file();
  CHECK(match_weights(inner, "vgg11").trunk_problem == "");
  CHECK(match_weights(inner, "vgg11").file_name.size() == 16);
  const WeightFile both =
      Names()
          .trunk("vgg11", [](const std::string& name) { return "module.features.module." + name.substr(9); })(
              "module.cls.0.weight", {1})
          .file();
  CHECK(match_weights(both, "vgg11").file_name.size() == 16);
  CHECK(both.find("cls.0.weight") != nullptr);
  CHECK(both.notes() ==
        std::vector<std::string>{"'features.module.' read as 'features.'", "prefix 'module.' taken off"});
  CHECK(error_of([] { Names().trunk("vgg11").trunk("vgg11", "module.").file(); }).find("twice") != std::string::npos);
}

TEST_CASE("files that do not fit say why") {
  Network network(small_config("vgg16"));
  const auto refusal = [&](const Names& names) { return error_of([&] { load_pretrained(network, names.file()); }); };
  CHECK(contains(refusal(Names().trunk("vgg19")), "16 convolutions, vgg16 has 13"));
  CHECK(contains(refusal(Names().trunk("vgg16_bn")), "with batch norm"));
  CHECK(contains(refusal(Names()("layer1.0.conv1.weight", {8, 2, 3, 3})), "no trunk"));
  CHECK(contains(refusal(Names().trunk("vgg16")("features.28.weight", {12, 12, 1, 1})), "(12, 12, 1, 1)"));
  CHECK(contains(error_of([] { network_of(Names().trunk("vgg16").file()); }), "acol train --weights"));
  CHECK(contains(error_of([] {
                   architecture_of(Names()("features.0.weight", {8, 3, 3, 3}).file());
                 }),
                 "1 convolution;"));
  // Numbers are taken as they are written: 04 is no name of layer 4.
  const Names odd = Names().trunk("vgg16")("cls.0.weight", {24, 12, 3, 3})("cls.2.weight", {24, 24, 3, 3})(
      "cls.04.weight", {9, 24, 1, 1})("cls.4.weight", {});
  CHECK(contains(error_of([&] { network_of(odd.file()); }), "no classifier"));
  // A small file that claims a large network is refused before any is made.
  const Names claim = Names().trunk("vgg16")("cls.0.weight", {4096, 0, 3, 3})("cls.2.weight", {1, 1, 3, 3})(
      "cls.4.weight", {1'000'000, 0, 1, 1});
  CHECK(contains(error_of([&] { model_from_weights(claim.file()); }), "do not fit one another"));
  // A classifier for other classes is no obstacle to training.
  const Names heads = Names().trunk("vgg16")("cls.0.weight", {24, 12, 3, 3})("cls.2.weight", {24, 24, 3, 3})(
      "cls.4.weight", {9, 24, 1, 1});
  const WeightsReport report = load_pretrained(network, heads.file());
  CHECK(report.loaded.size() == 28);
  CHECK(report.ignored == std::vector<std::string>{"cls.4.weight"});
  CHECK(report.names == "xiaomengyc/ACoL");
}

TEST_CASE("Caffe's weights: channels flipped, preprocessing as Caffe had it, the same numbers come out") {
  CHECK_THROWS_AS(parse_weights_preprocessing("bgr"), Error);
  CHECK(parse_weights_preprocessing("caffe") == WeightsPreprocessing::caffe);
  Preprocessing how;
  use_preprocessing(WeightsPreprocessing::caffe, how);
  validate(how);

  Image image;
  image.width = 2, image.height = 1;
  image.rgb = {250, 100, 3, 0, 255, 77};  // R G B
  how.resize = how.crop = 1;
  const std::array<float, 3> bgr_mean{103.939f, 116.779f, 123.68f};
  Network ours(small_config("vgg16")), as_stored(small_config("vgg16"));
  const WeightFile file(pth_path("pth_shifted"));
  load_pretrained(ours, file, WeightsPreprocessing::caffe);
  load_pretrained(as_stored, file);
  const Tensor flipped = parameter_of(ours, "features.0.weight").value();
  const Tensor stored = parameter_of(as_stored, "features.0.weight").value();
  for (int x = 0; x < 2; ++x) {
    float rgb[3];
    normalise(image, how, x, 0, false, rgb);
    for (std::int64_t filter = 0; filter < stored.shape().rows(); ++filter) {
      double got = 0, wanted = 0;
      for (int c = 0; c < 3; ++c) {
        got += static_cast<double>(rgb[c]) * flipped.at(filter * 3 + c);
        const double pixel = image.rgb[static_cast<std::size_t>(x * 3 + 2 - c)];
        wanted += (pixel - static_cast<double>(bgr_mean[static_cast<std::size_t>(c)])) * stored.at(filter * 3 + c);
      }
      CHECK(std::abs(got - wanted) <= 255 * 3 * 8 * rounding);  // values to 255, a few roundings each
    }
  }
  CHECK(
      same_bits(parameter_of(ours, "features.2.weight").value(), parameter_of(as_stored, "features.2.weight").value()));
  // Who names them as Caffe's is told.
  Network network(small_config("vgg16"));
  const Names caffe = Names().trunk("vgg16")("classifier.1.weight", {8, 98})("classifier.4.weight", {8, 8});
  REQUIRE(load_pretrained(network, caffe.file()).notes.size() == 1);
  CHECK(contains(load_pretrained(network, caffe.file()).notes[0], "--weights-preprocessing caffe"));
  CHECK(load_pretrained(network, caffe.file(), WeightsPreprocessing::caffe).notes.empty());
}

TEST_CASE("lists of classes") {
  const TemporaryFolder folder;
  const std::string path = folder / "classes.txt";
  std::vector<std::string> ids, names;
  write(path, "n01440764 tench, Tinca tinca\r\nred fox\nid\ta name\n");
  read_class_list(path, ids, names);
  CHECK(ids == std::vector<std::string>{"n01440764", "red fox", "id"});
  CHECK(names == std::vector<std::string>{"tench, Tinca tinca", "red fox", "a name"});
  for (const char* bad : {"", "a\n\nb\n", "a\nb\na\n", "\tname\n"}) {
    write(path, bad);
    CHECK(contains(error_of([&] { read_class_list(path, ids, names); }), "classes.txt"));
  }
  CHECK(contains(error_of([&] { read_class_list(path + ".none", ids, names); }), "classes.txt.none"));
}

TEST_CASE("the program: a PyTorch ACoL becomes a model, works, and goes back to the bit") {
  const TemporaryFolder folder;
  const std::string data = folder / "data", model = folder / "model.safetensors", classes = folder / "classes.txt";
  REQUIRE(
      run_program({"synth", "--out", data, "--classes", "5", "--train", "2", "--val", "1", "--size", "40"}).status ==
      0);
  std::vector<std::string> ids;
  for (const auto& entry : fs::directory_iterator(data + "/train"))
    if (entry.is_directory()) ids.push_back(entry.path().filename().string());
  std::sort(ids.begin(), ids.end());
  std::string lines;
  for (const std::string& id : ids) lines += id + "\n";
  write(classes, lines);

  const Output made =
      run_program({"weights", "convert", pth_path("pth_official"), model, "--classes-file", classes, "--resize", "36",
                   "--crop", "32", "--resize-mode", "warp", "--erase-threshold", "0.7"});
  REQUIRE_MESSAGE(made.status == 0, made.err);
  for (const char* part : {"acol, vgg16, width 0.0234375, map stride 8, 5 classes", "PyTorch, legacy", "'state_dict'"})
    CHECK_MESSAGE(contains(made.out, part), made.out);
  const Model loaded = load_model(model);
  CHECK(loaded.class_ids == ids);
  CHECK(loaded.config.preprocessing.crop == 32);
  CHECK(loaded.config.preprocessing.resize_mode == ResizeMode::warp);
  CHECK(loaded.config.network.erase_threshold == 0.7);
  const Output measured = run_program({"eval", "--model", model, "--data", data, "--threads", "1"});
  CHECK_MESSAGE(measured.status == 0, measured.err);
  const std::string picture = fs::directory_iterator(data + "/val/" + ids[0])->path().string();
  CHECK(run_program({"localize", "--model", model, picture, "--threads", "1"}).status == 0);

  for (const char* names : {"official", "hal", "wsol", "acol"}) {
    CAPTURE(names);
    const std::string pth = folder / (std::string(names) + ".pth"), back = folder / "back.safetensors";
    REQUIRE(run_program({"weights", "convert", model, pth, "--names", names}).status == 0);
    REQUIRE(run_program({"weights", "convert", pth, back}).status == 0);
    CHECK(text_of_file(back) == text_of_file(model));
    const Output listed = run_program({"weights", pth});
    CHECK(listed.status == 0);
    CHECK(contains(listed.out, "matched   38; unmatched 0"));
    CHECK(contains(listed.out, std::string(names) == "official" ? "cls_erase.4.bias " : "lassifier_"));
  }
  const std::string trunk = folder / "trunk.pth";
  const Output left = run_program({"weights", "convert", model, trunk, "--names", "torchvision"});
  CHECK(left.status == 0);
  CHECK(contains(left.err, "12 tensors have no place"));
  CHECK(contains(run_program({"weights", trunk}).out, "matched   26; unmatched 0"));

  // Training starts from any of these.
  const Words recipe{"--data",   data, "--arch",       "vgg16", "--width",       "0.0234375",
                     "--resize", "36", "--crop",       "32",    "--limit-steps", "1",
                     "--epochs", "1",  "--batch-size", "4",     "--threads",     "1"};
  const auto train = [&](const std::string& out, const Words& more) {
    return run_program(joined(joined({"train", "--out", folder / out}, recipe), more));
  };
  const Output tuned = train("a", {"--weights", pth_path("pth_official"), "--weights-preprocessing", "caffe"});
  CHECK_MESSAGE(tuned.status == 0, tuned.err);
  CHECK(contains(tuned.err, "38 tensors from"));
  CHECK(contains(tuned.err, "xiaomengyc/ACoL"));
  const auto mean = load_model(folder / "a/last.safetensors").config.preprocessing.mean;
  CHECK(std::abs(static_cast<double>(mean[0]) * 255 - 123.68) < 1e-4);
  CHECK(contains(train("b", {"--weights", trunk}).err, "26 tensors from"));

  // A file with another classifier is listed as well, and what steers a terminal is not printed.
  Names()
      .trunk("vgg16")("cls.0.weight", {24, 12, 3, 3})("cls.2.weight", {24, 12, 3, 3})("cls.4.weight", {5, 24, 1, 1})(
          "\x1b[2J", {1})
      .save(folder / "other.safetensors");
  const Output other = run_program({"weights", folder / "other.safetensors"});
  CHECK(other.status == 0);
  CHECK(contains(other.out, "no classifier that fits"));
  CHECK((contains(other.out, "?[2J") && !contains(other.out, "\x1b")));

  check_error({"weights"}, 2, "FILE");
  check_error({"weights", "convert", model, folder / "x.txt"}, 2, ".safetensors");
  check_error({"weights", "convert", model, folder / "x.pth", "--names", "keras"}, 2, "--names");
  check_error({"weights", "convert", model, folder / "x.pth", "--crop", "64"}, 2, "--crop");
  check_error({"weights", "convert", pth_path("pth_hal"), folder / "x.safetensors", "--names", "hal"}, 2, "--names");
  check_error({"weights", "convert", trunk, folder / "x.safetensors"}, 1, "no classifier");
  check_error({"weights", "convert", pth_path("pth_hal"), folder / "none/x.safetensors", "--arch", "vgg19"}, 1,
              "vgg19");
  write(classes, "one\n");
  check_error({"weights", "convert", pth_path("pth_hal"), folder / "x.safetensors", "--classes-file", classes}, 1,
              "5 classes");
  write(folder / "text.pth", "a text that is long enough");
  check_error({"weights", folder / "text.pth"}, 1, "text.pth");
  check_error({"train", "--data", data, "--out", folder / "c", "--weights-preprocessing", "caffe"}, 2, "--weights");
  CHECK_FALSE(fs::exists(folder / "x.safetensors"));
}
