// A small set that exists as a list only, and maps of it, for tests of score_maps().
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/evaluate/score_maps.h"
#include "acol/report/npy.h"
#include "tests/program.h"

namespace acol::testing {

// Zeros with a rectangle of ones.
inline ScoreMap block(int width, int height, const Box& box) {
  ScoreMap map{width, height, std::vector<double>(static_cast<std::size_t>(width * height), 0.0)};
  for (int y = box.y0; y <= box.y1; ++y)
    for (int x = box.x0; x <= box.x1; ++x) map.values[static_cast<std::size_t>(y * width + x)] = 1;
  return map;
}

inline void save(const std::filesystem::path& path, const ScoreMap& map) {
  std::filesystem::create_directories(path.parent_path());
  write_npy(path, map);
}

inline Sample boxed(const std::string& id, int label, std::vector<Box> boxes, int width, int height) {
  Sample sample;
  sample.id = id;
  sample.label = label;
  sample.boxes = std::move(boxes);
  sample.width = width;
  sample.height = height;
  return sample;
}

// Three pictures of 40 x 20 that exist in this list only.
inline Dataset small_set() {
  Dataset data;
  data.root = "/nowhere";
  data.split = "test";
  data.class_ids = data.class_names = {"a", "b"};
  data.samples = {boxed("a/1.jpg", 0, {{4, 2, 15, 9}}, 40, 20),
                  boxed("a/2.jpg", 0, {{0, 0, 3, 3}, {20, 10, 39, 19}}, 40, 20),
                  boxed("b/3.png", 1, {{10, 5, 29, 14}}, 40, 20)};
  return data;
}

inline ScoreOptions options_for(const std::string& maps, ScoreProtocol protocol = ScoreProtocol::wsol) {
  ScoreOptions options;
  options.maps = maps;
  options.protocol = protocol;
  return options;
}

}  // namespace acol::testing
