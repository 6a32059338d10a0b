// tests/golden/box_rules.txt and the maps it is about (tools/golden/make_box_rules.py).
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "acol/evaluate/score_map.h"
#include "golden_contours.h"

namespace acol::golden {

struct WholeMap {
  std::string kind;
  int width = 0, height = 0;
  std::vector<std::int64_t> values;
  std::int64_t& at(int x, int y) {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
  }
  std::int64_t low() const { return *std::min_element(values.begin(), values.end()); }
  std::int64_t high() const { return *std::max_element(values.begin(), values.end()); }

  // In [0, 1].
  ScoreMap scores() const {
    ScoreMap map{width, height, {}};
    for (const std::int64_t v : values)
      map.values.push_back(low() == high() ? (kind == "ones" ? 1 : 0)
                                           : static_cast<double>(v - low()) / static_cast<double>(high() - low()));
    return map;
  }
  // Any scale, on both sides of zero.
  ScoreMap raw() const {
    ScoreMap map{width, height, {}};
    for (const std::int64_t v : values)
      map.values.push_back((static_cast<double>(v) - static_cast<double>(high() / 3)) / 1000.0);
    return map;
  }
};

inline WholeMap whole_map(const std::string& kind, int width, int height, std::uint32_t seed) {
  Generator generator(seed);
  WholeMap map{kind, width, height, std::vector<std::int64_t>(static_cast<std::size_t>(width * height), 0)};
  const auto everywhere = [&](const auto& body) {
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) body(x, y, map.at(x, y));
  };
  if (kind == "blobs" || kind == "plateau") {
    for (int i = 0; i < 3; ++i) {
      const int cx = generator.below(width), cy = generator.below(height);
      const int radius = 1 + (width + height) / 20 + generator.below(1 + (width + height) / 6);
      const std::int64_t square = radius * radius, top = (200 + generator.below(800)) * std::int64_t{1000};
      everywhere([&](int x, int y, std::int64_t& v) {
        v += top * square / (square + (x - cx) * (x - cx) + (y - cy) * (y - cy));
      });
    }
    if (kind == "plateau") everywhere([](int, int, std::int64_t& v) { v /= 150000; });
  } else if (kind == "steps" || kind == "binary") {
    const int cell = 1 + generator.below(4), levels = kind == "steps" ? 5 : 2;
    const int across = (width + cell - 1) / cell, down = (height + cell - 1) / cell;
    std::vector<int> cells;
    for (int i = 0; i < across * down; ++i) cells.push_back(generator.below(levels));
    everywhere(
        [&](int x, int y, std::int64_t& v) { v = cells[static_cast<std::size_t>(y / cell * across + x / cell)]; });
  } else if (kind == "bytes") {
    everywhere([&](int, int, std::int64_t& v) { v = generator.below(256); });
    map.values.front() = 0;
    map.values.back() = 255;
  } else if (kind == "pixel") {
    const int y = generator.below(height);
    map.at(generator.below(width), y) = 1000;
  } else if (kind == "frames") {
    const int period = 2 + generator.below(3);
    everywhere([&](int x, int y, std::int64_t& v) { v = std::min({x, y, width - 1 - x, height - 1 - y}) % period; });
  } else if (kind == "ramp") {
    const int a = generator.below(5), b = generator.below(5);
    everywhere([&](int x, int y, std::int64_t& v) { v = a * x + b * y; });
  } else if (kind == "lines") {
    for (int i = 0; i < 4; ++i) {
      int x = generator.below(width), y = generator.below(height);
      const int step = generator.below(3), top = 500 + generator.below(500);
      for (; x < width && y < height; x += step != 1, y += step != 0) map.at(x, y) = top;
    }
    const int x0 = generator.below(width), y0 = generator.below(height);
    for (int y = y0; y < std::min(height, y0 + 1 + height / 4); ++y)
      for (int x = x0; x < std::min(width, x0 + 1 + width / 4); ++x) map.at(x, y) = 400;
  } else {
    everywhere([](int, int, std::int64_t& v) { v = 7; });
  }
  return map;
}

struct BoxRuleGolden {
  struct Map {
    WholeMap whole;
    std::string two_level;                    // hash
    std::vector<std::string> normalisations;  // hashes, one for each name
    std::vector<std::string> boxes;           // texts, one for each rule
  };
  std::vector<std::string> normalisations, rules;
  std::vector<Map> maps;
};

inline BoxRuleGolden box_rule_golden() {
  std::ifstream file(ACOL_SOURCE_DIR "/tests/golden/box_rules.txt");
  BoxRuleGolden golden;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream in(line.substr(0, line.find('|')));
    std::string word, kind;
    in >> word;
    if (word == "map") {
      int width = 0, height = 0;
      std::uint32_t seed = 0;
      BoxRuleGolden::Map map;
      in >> kind >> width >> height >> seed >> map.two_level;
      map.whole = whole_map(kind, width, height, seed);
      while (in >> word) map.normalisations.push_back(word);
      std::istringstream boxes(line.substr(line.find('|') + 1));
      while (std::getline(boxes, word, '|')) map.boxes.push_back(word);
      golden.maps.push_back(std::move(map));
    } else {
      std::vector<std::string>& names = word == "rules" ? golden.rules : golden.normalisations;
      while (in >> word) names.push_back(word);
    }
  }
  return golden;
}

}  // namespace acol::golden
