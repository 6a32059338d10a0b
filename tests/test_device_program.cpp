// The program with --device: training, going on, and evaluating on a card (the real one, or the emulated one), and what
// it says where there is none.
#include <algorithm>

#include "tensor/device.h"
#include "tensor/safetensors.h"
#include "trained_world.h"

using namespace acol;

namespace {

bool on_card() { return device_in_use() == Device::cuda; }

const Words cuda{"--device", "cuda"};

Output on_cuda(const Words& words, const std::string& variable = "") {
  std::vector<std::string> environment{"OMP_WAIT_POLICY=passive", "ACOL_CUDA_CONV=simt"};  // quicker where emulated
  if (!variable.empty()) environment.push_back(variable);
  return run_program(joined(words, cuda), environment);
}

Words training(const std::string& out) {
  return joined({"train", "--data", world().data, "--out", out}, world().recipe);
}

}  // namespace

TEST_CASE("without a card, or without CUDA in the program, one line says so") {
  if (on_card()) return;
  const Words words = joined(training(world().folder / "none"), cuda);
  const Output output = run(words);
  check_one_line_error(words, output, 1, "--device cuda: ");
  CHECK_MESSAGE((contains(output.err, "built without CUDA") || contains(output.err, "no CUDA device") ||
                 contains(output.err, "driver")),
                output.err);
  CHECK(!fs::exists(world().folder / "none"));
  const Output info = run({"info"});
  CHECK(info.status == 0);
  CHECK(contains(info.out, "no: "));
}

TEST_CASE("flags that cannot be") {
  check_error(joined(training(world().folder / "bad"), {"--device", "gpu"}), 2, "--device");
  check_error(joined(training(world().folder / "bad"), {"--precision", "bf16"}), 2,
              "--precision bf16 is for --device cuda");
  check_error(joined(training(world().folder / "bad"), {"--device", "cuda", "--precision", "fp8"}), 2, "--precision");
}

TEST_CASE("a run on the card, stopped and resumed: the same bits; what it made is a model for the CPU too") {
  if (!on_card()) return;
  const std::string whole = world().folder / "whole", parts = world().folder / "parts";
  const Output one = on_cuda(training(whole));
  REQUIRE_MESSAGE(one.status == 0, one.err);
  const Output first = on_cuda(joined(training(parts), {"--limit-steps", "2"}));
  REQUIRE_MESSAGE(first.status == 0, first.err);
  const Output second = on_cuda(joined(training(parts), {"--resume"}));
  REQUIRE_MESSAGE(second.status == 0, second.err);
  for (const char* name : {"last.safetensors", "best.safetensors"})
    CHECK(text_of_file(whole + "/" + name) == text_of_file(parts + "/" + name));

  // Going on elsewhere is allowed, and said.
  const std::string moved = world().folder / "moved";
  REQUIRE(on_cuda(joined(training(moved), {"--limit-steps", "2"})).status == 0);
  const Output on_cpu = run(joined(training(moved), {"--resume"}));
  REQUIRE_MESSAGE(on_cpu.status == 0, on_cpu.err);
  CHECK_MESSAGE(contains(on_cpu.err, "started with cuda fp32"), on_cpu.err);

  const auto evaluated = [&](const Words& device) {
    const std::string out = world().folder / "metrics.json";
    const Output output =
        run(joined({"eval", "--model", whole + "/best.safetensors", "--data", world().data, "--out", out}, device));
    REQUIRE_MESSAGE(output.status == 0, output.err);
    return json_of(out);
  };
  const Json here = evaluated({}), there = evaluated(cuda);
  for (const char* name : {"top1_cls_err", "gt_known_loc", "max_box_acc_v2", "coverage_fused"}) {
    REQUIRE_MESSAGE(here.contains(name), here.dump());
    CHECK(here[name].get<double>() == doctest::Approx(there[name].get<double>()).epsilon(0.01));
  }
}

TEST_CASE("one picture on the card: the CPU's answer") {
  if (!on_card()) return;
  const Words words{"localize", "--model", world().model, world().image};
  const Output here = run(words), there = on_cuda(words);
  REQUIRE_MESSAGE(there.status == 0, there.err);
  Json one = Json::parse(here.out)["predictions"][0], other = Json::parse(there.out)["predictions"][0];
  CHECK(one["score"].get<double>() == doctest::Approx(other["score"].get<double>()).epsilon(1e-5));
  one.erase("score");
  other.erase("score");
  CHECK(one == other);
}

TEST_CASE("what the card cannot do is one line") {
  if (!on_card() || !contains(run_program(joined({"info"}, {})).out, "emulated card")) return;
  const auto refused = [&](const std::string& variable, const std::string& part) {
    const TemporaryFolder folder;
    const Words words = training(folder / "refused");
    check_one_line_error(words, on_cuda(words, variable), 1, part);
  };
  refused("ACOL_EMULATED_DEVICES=0", "this machine has no CUDA device");
  refused("ACOL_EMULATED_DRIVER=old", "install a newer driver");
  refused("ACOL_EMULATED_MB=1", "out of memory");
  refused("ACOL_EMULATED_MB=1", "lower --batch-size");
}

TEST_CASE("bench on the card: its name, times, no share of the CPU's peak") {
  if (!on_card()) return;
  const std::string json = world().folder / "bench.json";
  const Output output = on_cuda({"bench", "train", "--arch", "vgg11", "--width", "0.03125", "--size", "32",
                                 "--batch-size", "2", "--classes", "3", "--repeats", "1", "--json", json});
  REQUIRE_MESSAGE(output.status == 0, output.err);
  const Json report = json_of(json);
  CHECK(report["precision"] == "fp32");
  CHECK(report["device"].get<std::string>() == device_memory()->describe());
  CHECK(report["rows"][0]["ms_median"].get<double>() > 0);
  CHECK(report["rows"][0]["share_of_peak"].is_null());
}

TEST_CASE("bench on the card: what the comparison with PyTorch reads") {
  if (!on_card()) return;
  const TemporaryFolder folder;
  const Words tiny{"--arch",    "vgg11", "--width",   "0.0625", "--size",    "16", "--batch-size", "2",
                   "--classes", "3",     "--repeats", "3",      "--warm-up", "2",  "--input-sets", "2"};
  const auto rows_of = [&](const std::string& kind) {
    const std::string json = folder / (kind + ".json");
    const Output output = on_cuda(joined({"bench", kind, "--save", folder / kind, "--json", json}, tiny));
    REQUIRE_MESSAGE(output.status == 0, output.err);
    const Json rows = json_of(json)["rows"];
    for (const Json& row : rows) {
      CAPTURE(row.dump());
      REQUIRE(row["ms"].size() == 3);
      CHECK(row["ms"][1] == row["ms_median"]);
      CHECK(row["ms"][0].get<double>() > 0);
      CHECK(row["device_peak_mb"].get<double>() > 0);
      CHECK(row["device_held_mb"].get<double>() >= row["device_peak_mb"].get<double>());
      CHECK(row.contains("conv") == (kind == "conv"));
    }
    return rows;
  };
  const Json conv = rows_of("conv"), net = rows_of("net"), train = rows_of("train");
  CHECK(conv[0]["launches"] == 1);  // a convolution forward, whether on tensor cores or not
  CHECK(conv[0]["conv"]["in_c"] == 3);
  CHECK(conv[0]["conv"]["out_c"] == 4);
  CHECK(conv[0]["conv"]["in_h"] == 16);
  CHECK(conv[0]["conv"]["pad"] == 1);
  for (const Json& row : conv)  // the first layer's ReLU comes with the pool behind it
    if (row["layer"] == "conv1_1" || row["layer"] == "conv3_1")
      CHECK(row["conv"]["relu"] == (row["layer"] == "conv3_1"));
  CHECK(conv[0]["conv"]["uses"] == 1);
  // As localize does it, and without the maps' way to the host, which starts no kernel.
  REQUIRE(net.size() == 2);
  CHECK(net[1]["what"] == "forward_network");
  CHECK(net[1]["launches"] == net[0]["launches"]);
  CHECK(net[1]["launches"].get<double>() > 20);
  CHECK(train[0]["launches"].get<double>() > 2 * net[1]["launches"].get<double>());

  // The inputs are the CPU's.
  const Words on_cpu{"bench", "train", "--save", folder / "cpu"};
  REQUIRE(run(joined(on_cpu, tiny)).status == 0);
  const auto input = [&](const std::string& kind) {
    return read_safetensors(folder.path() / kind / "train.safetensors").tensors.at("input");
  };
  const Tensor here = input("cpu").to_host(), there = input("train").to_host();
  REQUIRE(here.shape() == there.shape());
  CHECK(std::equal(here.f32(), here.f32() + here.count(), there.f32()));
}
