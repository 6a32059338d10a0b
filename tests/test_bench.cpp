// `acol bench` at a tiny size: every measurement runs, its JSON keeps to the schema that other programs read, what it
// saves is what the library computes, and wrong use is told in one line.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "acol/evaluate/class_maps.h"
#include "acol/train/model.h"
#include "acol/train/step.h"
#include "program.h"
#include "tensor/kernels.h"
#include "tensor/safetensors.h"

using namespace acol;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

namespace {

const Words tiny{"--width", "0.0625", "--size", "32", "--classes", "5"};
const std::vector<std::string> keys{"what",   "layer",  "batch",         "ms_median",  "ms_min",
                                    "ms_max", "gflops", "share_of_peak", "peak_rss_mb"};

Output run(const Words& words) { return run_program(joined({"bench"}, words), {"OMP_WAIT_POLICY=passive"}); }

// Runs `bench WORDS --json FILE` and checks all that holds for every kind. Returns the rows.
Json rows_of(const Words& words) {
  TemporaryFolder folder;
  const std::string path = folder / "new/bench.json";
  const Output output = run(joined(words, {"--threads", "1", "--json", path}));
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(output.err == "");
  CHECK(!fs::exists(path + ".partial"));
  const Json json = Json::parse(text_of_file(path));
  CHECK(json.size() == 4);
  CHECK(json.at("cpu").is_string());
  CHECK(json.at("threads") == 1);
  const auto level = json.at("level").get<std::string>();
  CHECK((level == "scalar" || level == "avx2" || level == "avx512"));
  CHECK(contains(output.out, json.at("cpu").get<std::string>() + ", " + level + ", 1 thread\n"));
  REQUIRE(!json.at("rows").empty());
  for (const Json& row : json.at("rows")) {
    CAPTURE(row.dump());
    std::vector<std::string> names;
    for (const auto& [key, value] : row.items()) {
      names.push_back(key);
      CHECK((key == "what" ? value.is_string() : value.is_null() || value.is_number() == (key != "layer")));
      if (value.is_number()) CHECK(value.get<double>() > 0);
    }
    CHECK(names == keys);
    CHECK(row["ms_median"].is_null() == row["ms_min"].is_null());
    if (row["ms_median"].is_number()) {
      CHECK(row["ms_min"].get<double>() <= row["ms_median"].get<double>());
      CHECK(row["ms_median"].get<double>() <= row["ms_max"].get<double>());
    }
    CHECK(contains(output.out, row["what"].get<std::string>()));
  }
  return json.at("rows");
}

// The multiply-adds that a row counts, from its time and rate.
double multiply_adds(const Json& row) { return row["gflops"].get<double>() * row["ms_median"].get<double>() * 1e6 / 2; }

// The sanitizers keep freed memory for a while and add their own, so that peaks say little.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool peaks_tell = false;
#else
constexpr bool peaks_tell = true;
#endif

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::equal(a.f32(), a.f32() + a.count(), b.f32());
}

// Error: tensors of other shape, or a NaN.
double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double largest = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) {
    REQUIRE(std::isfinite(a.at(i)));
    largest = std::max(largest, std::abs(a.at(i) - b.at(i)));
  }
  return largest;
}

}  // namespace

TEST_CASE("bench peak") {
  const Json rows = rows_of({"peak", "--repeats", "1"});
  REQUIRE(rows.size() == 5);
  CHECK(rows[0]["what"] == "fma_peak_1_thread");
  CHECK(rows[1]["what"] == "fma_peak");
  CHECK(rows[2]["what"] == "micro_kernel_1_thread");
  CHECK(rows[2]["gflops"].get<double>() > 0.1);
  CHECK(rows[3]["what"] == "micro_kernel");
  CHECK(rows[0]["share_of_peak"] == 1);
  CHECK(rows[0]["gflops"].get<double>() > 0.1);
  CHECK(rows[0]["layer"].is_null());
  CHECK(rows[4]["gflops"].is_null());
  CHECK(rows[4]["ms_median"].is_number());
}

TEST_CASE("bench conv measures every shape of the network once") {
  for (const bool stride_8 : {true, false}) {
    const Json rows =
        rows_of(joined({"conv", "--repeats", "2", "--batch-size", "3", "--map-stride", stride_8 ? "8" : "16"}, tiny));
    std::vector<std::string> names;
    std::vector<int> times(3, 0);
    for (const Json& row : rows) {
      const auto name = row["layer"].get<std::string>(), what = row["what"].get<std::string>();
      if (what == "forward") names.push_back(name);
      ++times[what == "forward" ? 0 : what == "backward_data" ? 1 : what == "backward_weights" ? 2 : 3];
      CHECK(row["batch"] == 3);
      CHECK(row["peak_rss_mb"].is_null());
      if (name == "conv1_2") CHECK(multiply_adds(row) == doctest::Approx(3 * 32 * 32 * 9 * 4 * 4));
      if (name == "conv3_1") CHECK(multiply_adds(row) == doctest::Approx(3 * 8 * 8 * 9 * 8 * 16));
      if (name == "a3") CHECK(multiply_adds(row) == doctest::Approx(3 * (stride_8 ? 16 : 4) * 64 * 5));
    }
    std::vector<std::string> expected{"conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2",
                                      "conv4_1", "conv4_2", "a1",      "a2",      "a3"};
    if (!stride_8) expected.insert(expected.begin() + 8, "conv5_1");  // else as conv4_2
    CHECK(names == expected);
    // The pictures' gradient is not computed.
    CHECK(times == std::vector<int>{static_cast<int>(names.size()), static_cast<int>(names.size()) - 1,
                                    static_cast<int>(names.size())});
  }
}

TEST_CASE("bench conv saves what the reference computes, too") {
  TemporaryFolder folder;
  const Output output =
      run(joined({"conv", "--threads", "1", "--repeats", "1", "--batch-size", "1", "--save", folder / "new"}, tiny));
  REQUIRE_MESSAGE(output.status == 0, output.err);
  for (const char* name : {"conv1_1", "conv4_2", "a3"}) {
    CAPTURE(name);
    SafetensorsFile file = read_safetensors(folder.path() / "new" / (std::string(name) + ".safetensors"));
    const auto& t = file.tensors;
    const Tensor w = filter_from_file(t.at("w")), &x = t.at("x"), &dy = t.at("dy");
    Conv2dGeometry g{.batch = 1, .in_h = x.shape()[1], .in_w = x.shape()[2], .in_c = x.shape()[3]};
    g.out_c = w.shape()[0];
    g.filter_h = g.filter_w = w.shape()[1];
    g.pad_h = g.pad_w = std::stoi(file.metadata.at("pad"));
    CHECK(file.metadata.at("stride") == "1");
    REQUIRE(dy.shape() == g.y_shape());
    Tensor y = Tensor::zeros(g.y_shape()), dx = Tensor::zeros(x.shape()), dw = Tensor::zeros(w.shape());
    Tensor db = Tensor::zeros({g.out_c});
    const Kernels<float>& reference = reference_kernels<float>();
    reference.conv2d_forward(g, x.f32(), w.f32(), t.at("bias").f32(), false, y.f32());
    reference.conv2d_backward_data(g, dy.f32(), nullptr, w.f32(), nullptr, dx.f32());
    reference.conv2d_backward_weights(g, dy.f32(), nullptr, x.f32(), dw.f32(), db.f32());
    CHECK(largest_difference(t.at("y"), y) < 1e-4);
    CHECK(largest_difference(t.at("dx"), dx) < 1e-4);
    CHECK(largest_difference(filter_from_file(t.at("dw")), dw) < 1e-3);
    CHECK(largest_difference(t.at("db"), db) < 1e-3);
    CHECK(std::any_of(y.f32(), y.f32() + y.count(), [](float v) { return v < -0.1f; }));  // no ReLU
  }
}

TEST_CASE("bench net") {
  TemporaryFolder folder;
  for (const char* arch : {"vgg16", "vgg11_bn"}) {
    CAPTURE(arch);
    const std::string saved = folder / arch;
    const Json rows =
        rows_of(joined({"net", "--repeats", "2", "--batch-size", "2", "--arch", arch, "--save", saved}, tiny));
    REQUIRE(rows.size() == 1);
    CHECK(rows[0]["what"] == "forward");
    CHECK(rows[0]["layer"] == "net");
    CHECK(rows[0]["peak_rss_mb"].is_number());

    Model model = load_model(saved + "/model.safetensors");
    CHECK(multiply_adds(rows[0]) == doctest::Approx(2.0 * static_cast<double>(model.network->multiply_adds(32, 32))));
    model.network->fold_batch_norm();
    const SafetensorsFile file = read_safetensors(saved + "/net.safetensors");
    const PassA a = forward_a(*model.network, file.tensors.at("input"));
    CHECK(same_bits(file.tensors.at("features"), a.features));
    CHECK(same_bits(file.tensors.at("maps_a"), a.maps));
    CHECK(same_bits(file.tensors.at("probabilities"), a.probabilities));
    CHECK(same_bits(file.tensors.at("logits_b"), logits_b(*model.network, a, answers(a.probabilities))));
    CHECK(file.tensors.at("maps_b").shape() == a.maps.shape());
  }
  // One branch is less work.
  CHECK(multiply_adds(rows_of(joined({"net", "--repeats", "1", "--method", "cam"}, tiny))[0]) <
        multiply_adds(rows_of(joined({"net", "--repeats", "1"}, tiny))[0]));
}

TEST_CASE("bench train") {
  TemporaryFolder folder;
  const std::string saved = folder / "saved";
  const Json rows = rows_of(joined(
      {"train", "--repeats", "2", "--warm-up", "2", "--input-sets", "3", "--batch-size", "2", "--save", saved}, tiny));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0]["what"] == "train");
  CHECK(rows[0]["layer"] == "net");

  Model model = load_model(saved + "/model.safetensors");
  Network& network = *model.network;
  CHECK(multiply_adds(rows[0]) == doctest::Approx(6.0 * static_cast<double>(network.multiply_adds(32, 32))));
  network.set_training(true);
  const SafetensorsFile file = read_safetensors(saved + "/train.safetensors");
  std::vector<int> labels;
  for (std::int64_t i = 0; i < 2; ++i) labels.push_back(static_cast<int>(file.tensors.at("labels").at(i)));
  StepLosses losses = forward_losses(network, file.tensors.at("input"), labels, EraseLabel::truth, true);
  losses.total.backward();
  network.set_training(false);
  CHECK(same_bits(file.tensors.at("maps_a"), forward_a(network, file.tensors.at("input")).maps));
  network.set_training(true);
  CHECK(file.tensors.at("loss_a").at(0) == losses.loss_a.value().at(0));
  CHECK(file.tensors.at("loss_b").at(0) == losses.loss_b.value().at(0));
  Sgd optimizer(parameter_groups(network, model.config), {model.config.momentum, model.config.nesterov});
  optimizer.step(model.config.rate);
  for (NamedParameter& parameter : network.parameters()) {
    CAPTURE(parameter.name);
    const auto of_file = [&](const std::string& name) {
      const Tensor& tensor = file.tensors.at(name);
      return tensor.shape().rank() == 4 ? filter_from_file(tensor) : tensor;
    };
    CHECK(same_bits(of_file("gradient." + parameter.name), parameter.variable.grad()));
    CHECK(same_bits(of_file(parameter.name), parameter.variable.value()));
  }
}

TEST_CASE("bench memory") {
  const Json small = rows_of(joined({"memory", "--batch-size", "1"}, tiny));
  const Json large = rows_of(joined({"memory", "--batch-size", "96"}, tiny));
  REQUIRE(small.size() == 2);
  for (const Json& rows : {small, large}) {
    CHECK(rows[0]["what"] == "train");
    CHECK(rows[0]["ms_median"].is_null());
    CHECK(rows[1]["what"] == "forward");
    CHECK(rows[1]["batch"] == 1);
    for (const Json& row : rows) CHECK(row["peak_rss_mb"].is_number());
  }
  CHECK(large[0]["batch"] == 96);
  if (!peaks_tell) return;
  // Each in a process of its own: the larger training leaves the inference after it as it was.
  CHECK(large[0]["peak_rss_mb"].get<double>() > small[0]["peak_rss_mb"].get<double>() + 4);
  CHECK(std::abs(large[1]["peak_rss_mb"].get<double>() - small[1]["peak_rss_mb"].get<double>()) < 3);
}

TEST_CASE("bench memory in the ways of training that save it") {
  CHECK(rows_of(joined({"train", "--repeats", "1", "--memory", "lean", "--micro-batch", "3"}, tiny)).size() == 1);
  if (!peaks_tell) return;
  const auto peak = [](const Words& words) { return rows_of(words)[0]["peak_rss_mb"].get<double>(); };
  const Words many_pictures = joined({"memory", "--batch-size", "96"}, tiny);
  CHECK(peak(joined(many_pictures, {"--micro-batch", "2"})) < peak(many_pictures) - 2);
  // Lean keeps no gradients: 43 MB here, of which the buffers of the largest layer, gone before most of them come, hide
  // a part.
  const Words many_weights{"memory", "--batch-size", "1", "--size", "16", "--width", "0.5", "--classes", "5"};
  CHECK(peak(joined(many_weights, {"--memory", "lean"})) < peak(many_weights) - 15);
}

TEST_CASE("bench score: time and memory of scored maps") {
  const Json rows = rows_of({"score", "--maps", "100", "--size", "32"});
  REQUIRE(rows.size() == 3);
  for (const Json& row : rows) {
    CHECK(row["what"] == "score");
    CHECK(row["ms_median"].is_number());
    CHECK(row["peak_rss_mb"].is_number());
  }
  CHECK(rows[1]["layer"] == "smooth");
  CHECK(rows[2]["layer"] == "noise");
}

TEST_CASE("bench: Ctrl-C ends it without a result") {
  TemporaryFolder folder;
  const std::string json = folder / "bench.json";
  Process process(joined({"bench", "train", "--threads", "1", "--repeats", "1000000", "--json", json}, tiny));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(!process.ended());
  process.send(SIGINT);
  const Output output = process.wait(60);
  CHECK(output.status == 130);
  CHECK(output.out == "");
  CHECK(!fs::exists(json));
}

TEST_CASE("bench: wrong use") {
  TemporaryFolder folder;
  const std::vector<std::pair<Words, int>> cases{{{}, 2},
                                                 {{"speed"}, 2},
                                                 {{"net", "train"}, 2},
                                                 {{"net", "--batch-size", "0"}, 2},
                                                 {{"net", "--repeats", "0"}, 2},
                                                 {{"net", "--repeats", "many"}, 2},
                                                 {{"net", "--warm-up", "0"}, 2},
                                                 {{"train", "--input-sets", "0"}, 2},
                                                 {{"peak", "--input-sets", "2"}, 2},
                                                 {{"conv", "--width", "0"}, 2},
                                                 {{"conv", "--width", "nan"}, 2},
                                                 {{"conv", "--map-stride", "7"}, 2},
                                                 {{"train", "--arch", "resnet50"}, 2},
                                                 {{"train", "--method", "grad-cam"}, 2},
                                                 {{"train", "--classes", "0"}, 2},
                                                 {{"train", "--memory", "fat"}, 2},
                                                 {{"net", "--memory", "lean"}, 2},
                                                 {{"train", "--micro-batch", "-1"}, 2},
                                                 {{"memory", "--size", "0"}, 2},
                                                 {{"peak", "--threads", "-1"}, 2},
                                                 {{"peak", "--width", "1"}, 2},
                                                 {{"net", "--json"}, 2},
                                                 {joined({"net", "--json", folder.path().string()}, tiny), 1}};
  for (const auto& [words, status] : cases) check_one_line_error(words, run(words), status);
  for (const char* kind : {"peak", "conv", "net", "train", "memory", "score"}) {
    const Output help = run({kind, "--help"});
    CHECK(help.status == 0);
    CHECK(contains(help.out, "Usage: acol bench " + std::string(kind)));
    CHECK(contains(help.out, "--json FILE"));
  }
}
