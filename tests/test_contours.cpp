// Border following against OpenCV: the same contours, in the same order, with the same tree.
#include <doctest/doctest.h>

#include <algorithm>

#include "acol/evaluate/contours.h"
#include "golden_contours.h"
#include "tensor/check.h"

using namespace acol;

namespace {

struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> values;
};

Picture drawn(const std::string& rows) {
  Picture picture;
  picture.width = static_cast<int>(std::min(rows.find('/'), rows.size()));
  picture.height = static_cast<int>(std::count(rows.begin(), rows.end(), '/')) + 1;
  for (const char c : rows)
    if (c != '/') picture.values.push_back(c == '#');
  return picture;
}

Picture random_picture(int width, int height, int cell, int permille, std::uint32_t seed) {
  golden::Generator generator(seed);
  const int across = (width + cell - 1) / cell, down = (height + cell - 1) / cell;
  std::vector<std::uint8_t> cells;
  for (int i = 0; i < across * down; ++i) cells.push_back(generator.below(1000) < permille ? 200 : 0);
  Picture picture{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      picture.values.push_back(cells[static_cast<std::size_t>(y / cell * across + x / cell)]);
  return picture;
}

std::string text_of(const std::vector<Contour>& contours) {
  std::ostringstream out;
  for (const Contour& c : contours)
    out << c.rect.x0 << ' ' << c.rect.y0 << ' ' << c.rect.x1 - c.rect.x0 + 1 << ' ' << c.rect.y1 - c.rect.y0 + 1 << ' '
        << c.twice_area << ' ' << c.hole << ' ' << c.parent << '\n';
  return out.str();
}

}  // namespace

TEST_CASE("contours are those of OpenCV, in its order") {
  const std::vector<std::string> lines = golden::contour_lines();
  int pictures = 0;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    std::istringstream line(lines[at]);
    std::string kind, rows, hash;
    line >> kind;
    if (kind == "drawn") {
      std::size_t count = 0;
      line >> rows >> count;
      std::string expected;
      for (std::size_t i = 0; i < count; ++i) expected += lines.at(++at) + "\n";
      const Picture p = drawn(rows);
      CAPTURE(rows);
      CHECK(text_of(find_contours(p.values, p.width, p.height)) == expected);
    } else if (kind == "random") {
      int width = 0, height = 0, cell = 0, permille = 0;
      std::uint32_t seed = 0;
      std::size_t count = 0;
      line >> width >> height >> cell >> permille >> seed >> count >> hash;
      const Picture p = random_picture(width, height, cell, permille, seed);
      const std::vector<Contour> contours = find_contours(p.values, p.width, p.height);
      CAPTURE(lines[at]);
      CHECK(contours.size() == count);
      CHECK(golden::fnv1a(text_of(contours)) == hash);
    } else {
      continue;
    }
    ++pictures;
  }
  CHECK(pictures >= 300);
}

TEST_CASE("the cut is strict") {
  const std::vector<std::uint8_t> values{0, 5, 6, 0, 255};
  CHECK(find_contours(values, 5, 1, 5).size() == 2);
  CHECK(find_contours(values, 5, 1, 5)[1].rect == Box{2, 0, 2, 0});
  CHECK(find_contours(values, 5, 1, 4)[1].rect == Box{1, 0, 2, 0});
  CHECK(find_contours(values, 5, 1, 255).empty());
}

TEST_CASE("area runs through pixel centres; of equal contours the first in the list is the largest") {
  const Picture square = drawn("####/####/####");
  CHECK(find_contours(square.values, 4, 3).at(0).area() == 6);
  const Picture twins = drawn("##...##/##...##/......./##...##/##...##");
  const std::vector<Contour> contours = find_contours(twins.values, 7, 5);
  REQUIRE(contours.size() == 4);
  CHECK(largest_contour(contours) == 0);
  CHECK(contours[0].rect == Box{5, 3, 6, 4});  // found last
  CHECK(largest_contour({}) == -1);
}

TEST_CASE("a wrong number of values is refused") {
  const std::vector<std::uint8_t> values(6);
  CHECK_THROWS_WITH_AS(find_contours(values, 2, 4), doctest::Contains("2 x 4 picture"), Error);
  CHECK_THROWS_AS(find_contours(values, 0, 6), Error);
}
