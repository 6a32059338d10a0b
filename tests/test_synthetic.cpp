// The drawn data set: exact masks and boxes, and that the emblem tells the class.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "acol/data/dataset.h"
#include "acol/data/synthetic.h"
#include "tensor/check.h"
#include "tensor/file.h"

using namespace acol;
namespace fs = std::filesystem;

namespace {

struct TempFolder {
  fs::path path = fs::temp_directory_path() / ("acol_test_synthetic_" + std::to_string(::getpid()));
  TempFolder() { fs::remove_all(path); }
  ~TempFolder() { fs::remove_all(path); }
};

SyntheticOptions options(int classes, int size = 64) {
  SyntheticOptions chosen;
  chosen.classes = classes;
  chosen.size = size;
  chosen.train = 3;
  chosen.val = 2;
  return chosen;
}

Box box_of(const std::vector<std::uint8_t>& mask, int size) {
  Box box{size, size, -1, -1};
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x)
      if (mask[static_cast<std::size_t>(y * size + x)] != 0)
        box = {std::min(box.x0, x), std::min(box.y0, y), std::max(box.x1, x), std::max(box.y1, y)};
  return box;
}

// Pixels that can be reached from the first one of the mask, in steps of one; all of them if the object is in one
// piece.
std::size_t connected(std::vector<std::uint8_t> mask, int size) {
  std::vector<int> open{static_cast<int>(std::find(mask.begin(), mask.end(), 255) - mask.begin())};
  mask[static_cast<std::size_t>(open[0])] = 0;
  std::size_t count = 0;
  while (!open.empty()) {
    const int at = open.back();
    open.pop_back();
    ++count;
    const int x = at % size, y = at / size;
    for (const auto& [nx, ny] : {std::pair{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}}) {
      if (nx < 0 || ny < 0 || nx >= size || ny >= size || mask[static_cast<std::size_t>(ny * size + nx)] == 0) continue;
      mask[static_cast<std::size_t>(ny * size + nx)] = 0;
      open.push_back(ny * size + nx);
    }
  }
  return count;
}

}  // namespace

TEST_CASE("masks and boxes are exact, objects of the promised size, positions spread") {
  for (const int size : {32, 64, 97}) {
    const SyntheticOptions chosen = options(12, size);
    double smallest = 1, largest = 0;
    int left = size, right = 0;
    for (int i = 0; i < 60; ++i) {
      const SyntheticImage drawn = draw_synthetic(chosen, i % 2, i % 12, i);
      CHECK(drawn.label == i % 12);
      CHECK(drawn.image.width == size);
      REQUIRE(drawn.image.rgb.size() == static_cast<std::size_t>(size * size * 3));
      REQUIRE(drawn.mask.size() == static_cast<std::size_t>(size * size));
      CHECK(drawn.box == box_of(drawn.mask, size));
      CHECK((drawn.box.x0 >= 1 && drawn.box.y0 >= 1 && drawn.box.x1 <= size - 2 && drawn.box.y1 <= size - 2));
      const auto object = static_cast<std::size_t>(std::count(drawn.mask.begin(), drawn.mask.end(), 255));
      CHECK(object + static_cast<std::size_t>(std::count(drawn.mask.begin(), drawn.mask.end(), 0)) ==
            drawn.mask.size());
      CHECK(connected(drawn.mask, size) == object);
      const double share = static_cast<double>(object) / static_cast<double>(drawn.mask.size());
      smallest = std::min(smallest, share);
      largest = std::max(largest, share);
      left = std::min(left, drawn.box.x0);
      right = std::max(right, drawn.box.x1);
    }
    CHECK(smallest >= 0.15);
    CHECK(smallest <= 0.25);
    CHECK(largest <= 0.45);
    CHECK(largest >= 0.35);
    CHECK(left <= size / 10);
    CHECK(right >= size - 1 - size / 10);
  }
}

TEST_CASE("a picture is a function of (classes, size, seed), split, label and index") {
  const SyntheticOptions chosen = options(6);
  const SyntheticImage first = draw_synthetic(chosen, 0, 2, 7);
  SyntheticOptions other = chosen;
  other.train = 1000;
  other.val = 0;
  CHECK(draw_synthetic(other, 0, 2, 7).image == first.image);
  CHECK(draw_synthetic(other, 0, 2, 7).mask == first.mask);
  other.seed = 2;
  CHECK_FALSE(draw_synthetic(other, 0, 2, 7).image == first.image);
  CHECK_FALSE(draw_synthetic(chosen, 1, 2, 7).image == first.image);
  CHECK_FALSE(draw_synthetic(chosen, 0, 3, 7).image == first.image);
  CHECK_FALSE(draw_synthetic(chosen, 0, 2, 8).image == first.image);
}

TEST_CASE("inside the mask is something else than around it: the outline is where the mask says") {
  // The body is darkened along its outline. So the mean over the object's outermost pixels (one step inside the mask's
  // edge) is darker than two pixels further in, in most pictures.
  const int size = 96;
  int darker = 0;
  constexpr int pictures = 30;
  for (int i = 0; i < pictures; ++i) {
    const SyntheticImage drawn = draw_synthetic(options(6, size), 0, i % 6, i);
    // Steps to the outside, by repeated erosion.
    std::vector<std::uint8_t> left = drawn.mask;
    std::vector<double> mean;
    for (int ring = 0; ring < 6; ++ring) {
      std::vector<std::uint8_t> inner = left;
      double sum = 0, count = 0;
      for (int y = 1; y < size - 1; ++y)
        for (int x = 1; x < size - 1; ++x) {
          const auto at = static_cast<std::size_t>(y * size + x);
          const bool edge =
              left[at] != 0 && (left[at - 1] == 0 || left[at + 1] == 0 || left[at - size] == 0 || left[at + size] == 0);
          if (!edge) continue;
          inner[at] = 0;
          sum += drawn.image.rgb[at * 3 + 1];
          ++count;
        }
      left = inner;
      mean.push_back(sum / count);
    }
    darker += mean[0] < mean[5] - 10;
  }
  CHECK(darker >= pictures - 3);
}

TEST_CASE("the colours of the emblem are there, in the object, for each class") {
  // Pixels of the disc and figure colours (up to noise) inside the mask: an emblem of radius .085 to .11 has about
  // 2 to 3 percent of the picture, its rim included.
  const int size = 96;
  const SyntheticImage star = draw_synthetic(options(12, size), 0, 10, 3),
                       cross = draw_synthetic(options(12, size), 0, 2, 3);
  CHECK(synthetic_class_name(10) == "star");
  CHECK(synthetic_class_name(2) == "cross");
  const auto count = [&](const SyntheticImage& drawn, int r, int g, int b) {
    int found = 0;
    for (std::size_t i = 0; i < drawn.mask.size(); ++i) {
      const std::uint8_t* at = &drawn.image.rgb[i * 3];
      found += drawn.mask[i] != 0 && std::abs(at[0] - r) < 30 && std::abs(at[1] - g) < 30 && std::abs(at[2] - b) < 30;
    }
    return found;
  };
  CHECK(count(star, 200, 30, 45) >= 60);
  CHECK(count(star, 255, 225, 50) >= 30);
  CHECK(count(star, 30, 105, 205) == 0);
  CHECK(count(cross, 30, 105, 205) >= 60);
  CHECK(count(cross, 200, 30, 45) == 0);
}

TEST_CASE("class names are sorted, so that labels survive the folder layout") {
  for (int label = 1; label < max_synthetic_classes; ++label)
    CHECK(synthetic_class_name(label - 1) < synthetic_class_name(label));
  CHECK_THROWS_AS(synthetic_class_name(-1), Error);
  CHECK_THROWS_AS(synthetic_class_name(12), Error);
}

TEST_CASE("out of range") {
  const auto bad = [](auto change) {
    SyntheticOptions chosen = options(6);
    change(chosen);
    CHECK_THROWS_AS(draw_synthetic(chosen, 0, 0, 0), Error);
  };
  bad([](SyntheticOptions& chosen) { chosen.classes = 1; });
  bad([](SyntheticOptions& chosen) { chosen.classes = 13; });
  bad([](SyntheticOptions& chosen) { chosen.train = 0; });
  bad([](SyntheticOptions& chosen) { chosen.val = -1; });
  bad([](SyntheticOptions& chosen) { chosen.size = 31; });
  bad([](SyntheticOptions& chosen) { chosen.size = 100000; });
  CHECK_THROWS_AS(draw_synthetic(options(6), 2, 0, 0), Error);
  CHECK_THROWS_AS(draw_synthetic(options(6), 0, 6, 0), Error);
  CHECK_THROWS_AS(draw_synthetic(options(6), 0, 0, -1), Error);
}

TEST_CASE("the written set is read back: labels, boxes, masks, pictures") {
  const TempFolder folder;
  const SyntheticOptions chosen = options(4);
  int calls = 0, last = 0;
  write_synthetic(folder.path, chosen, [&](int done, int total) {
    ++calls;
    CHECK(done == last + 1);
    last = done;
    CHECK(total == 20);
  });
  CHECK(calls == 20);
  for (int split = 0; split < 2; ++split) {
    const Dataset dataset = open_dataset(folder.path, split == 0 ? "train" : "val");
    CHECK(dataset.notes.empty());
    CHECK(dataset.classes() == 4);
    const int a_class = split == 0 ? 3 : 2;
    REQUIRE(dataset.samples.size() == static_cast<std::size_t>(4 * a_class));
    for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
      const Sample& sample = dataset.samples[i];
      const int label = static_cast<int>(i) / a_class;
      const SyntheticImage drawn = draw_synthetic(chosen, split, label, static_cast<int>(i) % a_class);
      CHECK(sample.label == label);
      CHECK(sample.boxes == std::vector<Box>{drawn.box});
      CHECK(read_image(dataset.path(sample)) == drawn.image);
      const Image mask = read_image(dataset.mask_path(sample.masks.at(0)));
      for (std::size_t at = 0; at < drawn.mask.size(); ++at) REQUIRE(mask.rgb[at * 3] == drawn.mask[at]);
    }
  }
}

TEST_CASE("writing again: the same set is kept, an unfinished one redrawn, anything else refused") {
  const TempFolder folder;
  const SyntheticOptions chosen = options(2);
  write_synthetic(folder.path, chosen, {});
  const fs::path picture = folder.path / "train" / synthetic_class_name(0) / "00000.png";
  const std::string bytes = read_file(picture);

  write_file_atomically(picture, "touched");
  int calls = 0;
  write_synthetic(folder.path, chosen, [&](int done, int total) {
    ++calls;
    CHECK(done == total);
  });
  CHECK(calls == 1);
  CHECK(read_file(picture) == "touched");

  const std::string state = read_file(folder.path / "synthetic.json");
  std::string unfinished = state;
  const std::size_t at = unfinished.find("\"complete\": true");
  REQUIRE(at != std::string::npos);
  unfinished.replace(at, 16, "\"complete\": false");
  write_file_atomically(folder.path / "synthetic.json", unfinished);
  write_synthetic(folder.path, chosen, {});
  CHECK(read_file(picture) == bytes);
  CHECK(read_file(folder.path / "synthetic.json") == state);

  SyntheticOptions other = chosen;
  other.seed = 7;
  CHECK_THROWS_AS(write_synthetic(folder.path, other, {}), Error);
  write_file_atomically(folder.path / "synthetic.json", "no json");
  CHECK_THROWS_AS(write_synthetic(folder.path, chosen, {}), Error);
  fs::remove(folder.path / "synthetic.json");
  CHECK_THROWS_AS(write_synthetic(folder.path, chosen, {}), Error);
  CHECK_THROWS_AS(write_synthetic(picture, chosen, {}), Error);
  CHECK_THROWS_AS(write_synthetic(picture / "below", chosen, {}), Error);
  CHECK(read_file(picture) == bytes);
}
