// `acol info --plan`: a line for every convolution and pass, as the kernels are told; from options or from a model
// file.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "acol/train/model.h"
#include "program.h"
#include "tensor/cpu/conv2d_plan.h"

using namespace acol;
using Words = std::vector<std::string>;

namespace {

Output run(const Words& words) { return run_program(joined({"info"}, words), {"OMP_WAIT_POLICY=passive"}); }

std::string plan_of(const Words& words) {
  const Output output = run(joined({"--plan"}, words));
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(output.err == "");
  return output.out;
}

// Words with one space between them.
std::string plain(const std::string& line) {
  std::istringstream words(line);
  std::string text;
  for (std::string word; words >> word;) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The lines of the table.
Words table(const std::string& text) {
  std::istringstream in(text);
  Words lines;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("layer "))
      inside = true;
    else if (line.empty())
      inside = false;
    else if (inside)
      lines.push_back(plain(line));
  }
  return lines;
}

// The first words of all lines, each once where it comes again at once.
Words names(const Words& lines) {
  Words result;
  for (const std::string& line : lines) result.push_back(line.substr(0, line.find(' ')));
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

bool has(const Words& lines, const std::string& line) { return std::count(lines.begin(), lines.end(), line) == 1; }

// What the plan says of a square filter that keeps the map's size.
Words lines_of(const std::string& layer, const Conv2dGeometry& g) {
  const std::string side = std::to_string(g.filter_h), map = std::to_string(g.in_h);
  Words lines;
  for (const ConvPass pass : {ConvPass::forward, ConvPass::backward_data, ConvPass::backward_weights})
    lines.push_back(layer + " " + side + "x" + side + " " + std::to_string(g.in_c) + ">" + std::to_string(g.out_c) +
                    " on " + map + "x" + map + " " + std::to_string(g.batch) + " " + name_of(pass) + " " +
                    describe(conv2d_plan(g, pass)));
  return lines;
}

Conv2dGeometry square(int batch, int map, int in_c, int out_c, int filter) {
  return {.batch = batch,
          .in_h = map,
          .in_w = map,
          .in_c = in_c,
          .out_c = out_c,
          .filter_h = filter,
          .filter_w = filter,
          .pad_h = filter / 2,
          .pad_w = filter / 2};
}

const std::string rule =
    "a rule of the shape and of nothing else, so results repeat bit for bit on any machine of the same SIMD level";

}  // namespace

TEST_CASE("info --plan: every convolution of the paper's network, each pass") {
  const std::string text = plan_of({});
  CHECK(contains(text, "acol, vgg16, width 1, map stride 8, 200 classes, pictures of 224x224\n"));
  CHECK(contains(text, rule + ".\n"));
  const Words lines = table(text);
  CHECK(lines.size() == 19 * 3 - 1);  // nobody wants the gradient of the pictures
  CHECK(names(lines) == Words{"conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv4_1",
                              "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3", "a1", "a2", "a3", "b1", "b2",
                              "b3"});
  const Words first = lines_of("conv1_1", square(8, 224, 3, 64, 3));
  CHECK(lines.at(0) == first[0]);
  CHECK(lines.at(1) == first[2]);
  for (const Words& some :
       {lines_of("conv3_1", square(8, 56, 128, 256, 3)), lines_of("conv5_3", square(8, 28, 512, 512, 3)),
        lines_of("b2", square(8, 28, 1024, 1024, 3)), lines_of("a3", square(8, 28, 1024, 200, 1))})
    for (const std::string& line : some) CHECK_MESSAGE(has(lines, line), line << "\n" << text);
  // The plan has something to say: different shapes are computed in different ways.
  CHECK(contains(text, "direct\n"));
  CHECK(contains(text, "F(4x4,3x3), blocks of "));
  CHECK(plan_of({"--threads", "1"}) == text);
}

TEST_CASE("info --plan: the options choose the network") {
  const Words words{"--method", "cam",       "--arch", "vgg11",  "--width", "0.5",          "--map-stride",
                    "16",       "--classes", "7",      "--size", "96",      "--batch-size", "3"};
  const Words lines = table(plan_of(words));
  CHECK(names(lines) == Words{"conv1_1", "conv2_1", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "conv5_1", "conv5_2",
                              "a1", "a2", "a3"});
  for (const Words& some : {lines_of("conv2_1", square(3, 48, 32, 64, 3)),
                            lines_of("conv5_1", square(3, 6, 256, 256, 3)), lines_of("a3", square(3, 6, 512, 7, 1))})
    for (const std::string& line : some) CHECK_MESSAGE(has(lines, line), line);
}

TEST_CASE("info FILE --plan: the file's network, crop and batch") {
  TemporaryFolder folder;
  TrainConfig config = preset_config(Preset::scratch);
  config.network = {.arch = "vgg11", .width = 0.0625, .map_stride = 16};
  config.batch_size = 6;
  config.preprocessing.crop = 64;
  config.preprocessing.resize = 70;
  const auto file = [&](const std::string& name) {
    write_safetensors(folder / name, model_file(make_model(config, {"1", "2", "3"}, {"one", "two", "three"})));
    return folder / name;
  };
  const std::string whole = file("whole.safetensors");
  const Words same{"--arch", "vgg11", "--width", "0.0625", "--map-stride", "16", "--classes", "3", "--size", "64"};
  CHECK(plan_of({whole}) == plan_of(joined(same, {"--batch-size", "6"})));
  CHECK(plan_of({whole, "--batch-size", "1"}) == plan_of(joined(same, {"--batch-size", "1"})));
  config.micro_batch = 2;
  CHECK(plan_of({file("parts.safetensors")}) == plan_of(joined(same, {"--batch-size", "2"})));
  CHECK(!contains(run({whole}).out, rule));
}

TEST_CASE("info --plan: wrong use") {
  TemporaryFolder folder;
  const std::string none = folder / "none.safetensors";
  const std::vector<std::pair<Words, int>> cases{{{none, "--plan", "--arch", "vgg11"}, 2},
                                                 {{none, "--plan", "--width", "0.5"}, 2},
                                                 {{none, "--plan", "--map-stride", "16"}, 2},
                                                 {{none, "--plan", "--classes", "3"}, 2},
                                                 {{none, "--plan", "--size", "64"}, 2},
                                                 {{none, "--plan", "--method", "cam"}, 2},
                                                 {{"--arch", "vgg11"}, 2},
                                                 {{"--batch-size", "2"}, 2},
                                                 {{none, "--batch-size", "2"}, 2},
                                                 {{"--plan", "--batch-size", "0"}, 2},
                                                 {{"--plan", "--width", "nan"}, 2},
                                                 {{"--plan", "--arch", "resnet50"}, 2},
                                                 {{"--plan", "--map-stride", "7"}, 2},
                                                 {{none, "--plan"}, 1}};
  for (const auto& [words, status] : cases) check_one_line_error(words, run(words), status);
}
