// Line plots: round ticks, and what is drawn where.
#include "acol/report/plot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "acol/report/overlay.h"
#include "tensor/check.h"

using namespace acol;

namespace {

using Numbers = std::vector<double>;
constexpr double no_number = std::numeric_limits<double>::quiet_NaN();
constexpr Rgb blue{0, 0, 200}, red{200, 0, 0}, green{0, 150, 0};

Rgb pixel(const Image& image, int x, int y) {
  const std::size_t at = static_cast<std::size_t>((y * image.width + x) * 3);
  return {image.rgb.at(at), image.rgb.at(at + 1), image.rgb.at(at + 2)};
}

// Columns and rows where the colour stands, pure.
struct Places {
  std::set<int> x, y;
  std::size_t count = 0;
};
Places places_of(const Image& image, const Rgb& colour, int right = 100000) {
  Places places;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < std::min(image.width, right); ++x)
      if (pixel(image, x, y) == colour) {
        places.x.insert(x);
        places.y.insert(y);
        ++places.count;
      }
  return places;
}

Plot small_plot() {
  Plot plot;
  plot.series = {{"rising", {1, 2, 3}, {10, 20, 30}, blue}};
  return plot;
}

// Where the legend begins: nothing of the plotted area lies right of it.
constexpr int legend_left = 612;

bool close(const Numbers& got, const Numbers& expected) {
  if (got.size() != expected.size()) return false;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - expected[i]) <= 1e-12)) return false;
  return true;
}

}  // namespace

TEST_CASE("ticks are round and hold the data between them") {
  CHECK(close(round_ticks(0, 10, 6), {0, 2, 4, 6, 8, 10}));
  CHECK(close(round_ticks(34.2, 46.3, 7), {34, 36, 38, 40, 42, 44, 46, 48}));
  CHECK(close(round_ticks(0.5, 0.9, 5), {0.5, 0.6, 0.7, 0.8, 0.9}));
  CHECK(close(round_ticks(-3, 3, 4), {-4, -2, 0, 2, 4}));
  CHECK(close(round_ticks(0, 0, 3), {-1, 0, 1}));
  CHECK(close(round_ticks(1000, 5000, 5), {1000, 2000, 3000, 4000, 5000}));
  const Numbers one = round_ticks(7, 7, 5);
  CHECK(one.front() < 7);
  CHECK(one.back() > 7);
  // Equal up to rounding is equal: no ticks that differ in the tenth digit.
  const Numbers nearly = round_ticks(50, 50.00000000001, 7);
  CHECK(nearly.front() < 49);
  CHECK(nearly.back() > 51);
  CHECK(nearly.size() < 20);
  CHECK(round_ticks(1e17, 1e17 + 32, 5).size() < 20);
  CHECK_THROWS_AS(round_ticks(no_number, 1, 5), Error);
  CHECK_THROWS_AS(round_ticks(2, 1, 5), Error);
  CHECK_THROWS_AS(round_ticks(0, 1, 1), Error);
  CHECK(tick_text(40, 2) == "40");
  CHECK(tick_text(0.30000000000000004, 0.1) == "0.3");
  CHECK(tick_text(2, 0.25) == "2.0");
  CHECK(tick_text(-0.0, 0.5) == "0.0");
}

TEST_CASE("a line rises from left to right, with markers at its points") {
  Plot plot = small_plot();
  const Image image = draw_plot(plot);
  CHECK(image.width == plot.width);
  CHECK(image.height == plot.height);
  CHECK(pixel(image, 0, 0) == palette::white);
  const Places line = places_of(image, blue, legend_left);
  REQUIRE(line.count > 100);
  // The lowest pixel is on the left, the highest on the right.
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < legend_left; ++x)
      if (pixel(image, x, y) == blue) {
        const double along = double(x - *line.x.begin()) / double(*line.x.rbegin() - *line.x.begin());
        const double up = double(*line.y.rbegin() - y) / double(*line.y.rbegin() - *line.y.begin());
        CHECK(std::abs(along - up) < 0.1);
      }
  // The legend shows it, too.
  CHECK(places_of(image, blue).count > line.count + 20);

  // The same numbers, the same picture.
  CHECK(draw_plot(plot) == image);
  plot.series[0].y[1] = 29;
  CHECK(!(draw_plot(plot) == image));
}

TEST_CASE("NaN is a gap, not a place") {
  Plot plot = small_plot();
  plot.series[0] = {"gap", {1, 2, 3, 4}, {10, no_number, 30, 30}, blue};
  const Places line = places_of(draw_plot(plot), blue, legend_left);
  // Nothing between the marker of the first point and that of the third.
  int widest = 0, before = *line.x.begin();
  for (const int x : line.x) {
    widest = std::max(widest, x - before);
    before = x;
  }
  CHECK(widest > 100);
}

TEST_CASE("references are dashed, at their height, and under the series") {
  Plot plot = small_plot();
  plot.references = {{"level", 20, red}};
  const Image image = draw_plot(plot);
  const Places level = places_of(image, red, legend_left);
  REQUIRE(level.count > 50);
  CHECK(level.y.size() <= 2);
  const int row = *level.y.begin();
  int changes = 0;
  for (int x = 1; x < legend_left; ++x) changes += (pixel(image, x, row) == red) != (pixel(image, x - 1, row) == red);
  CHECK(changes > 20);
  // Halfway up the line, which goes from 10 to 30.
  const Places line = places_of(image, blue, legend_left);
  CHECK(std::abs(row - (*line.y.begin() + *line.y.rbegin()) / 2) <= 4);
  // It makes room for itself.
  plot.references = {{"level", 200, red}};
  CHECK(places_of(draw_plot(plot), red, legend_left).count > 50);
}

TEST_CASE("series have markers of different shapes, and later ones are on top") {
  Plot plot;
  plot.series = {{"a", {1, 2}, {1, 2}, blue}, {"b", {1, 2}, {1, 2}, green}};
  const Image image = draw_plot(plot);
  const Places top = places_of(image, green, legend_left);
  CHECK(top.count > places_of(image, blue, legend_left).count);
  std::set<std::vector<std::uint8_t>> pictures;
  for (int first = 0; first < 4; ++first) {  // a single point, as series number `first`
    Plot one;
    for (int i = 0; i < first; ++i) one.series.push_back({"", {1}, {1}, palette::white});
    one.series.push_back({"", {0}, {0}, blue});
    while (one.series.size() < 4) one.series.push_back({"", {1}, {1}, palette::white});
    pictures.insert(draw_plot(one).rgb);
    CHECK(places_of(draw_plot(one), blue, legend_left).count > 50);
  }
  CHECK(pictures.size() == 4);
}

TEST_CASE("names stand for numbers, and long texts stay in the picture") {
  Plot plot;
  plot.title = std::string(300, 'T');
  plot.x_label = std::string(300, 'X');
  plot.x_names = {"cam", std::string(100, 'N'), "acol"};
  plot.series = {{std::string(200, 'S'), {0, 1, 2}, {5, 5, 5}, blue}};
  const Image image = draw_plot(plot);
  CHECK(places_of(image, blue, 400).count > 50);
  // Cut, and not running out of the picture: the last columns are white.
  plot.y_label = std::string(300, 'Y');
  const Image labelled = draw_plot(plot);
  for (int y = 0; y < labelled.height; ++y)
    for (const int x : {0, 5, 10, labelled.width - 10, labelled.width - 5, labelled.width - 1})
      CHECK(pixel(labelled, x, y) == palette::white);
  // The first label, centred, would begin left of the picture.
  const auto ink_below = [](const Plot& some, int right) {
    const Image drawn = draw_plot(some);
    int count = 0;
    for (int y = drawn.height - 80; y < drawn.height; ++y)
      for (int x = 0; x < right; ++x) count += pixel(drawn, x, y).at(0) < 160;
    return count;
  };
  Plot named = small_plot();
  named.x_names = {"N", "n", "n", "n"};
  const int short_label = ink_below(named, 150);
  named.x_names[0] = std::string(100, 'N');
  CHECK(ink_below(named, 150) >= short_label);
  plot.width = 200;
  plot.height = 150;
  CHECK(draw_plot(plot).width == 200);
  plot.series[0].x[2] = 3;
  CHECK_THROWS_AS(draw_plot(plot), Error);
}

TEST_CASE("the ends of the axis can be set, and points beyond stay at its edge") {
  Plot plot = small_plot();
  plot.y_low = 15;
  plot.y_high = 25;
  const Places line = places_of(draw_plot(plot), blue, legend_left);
  CHECK(line.count > 100);
  CHECK(*line.y.rbegin() < plot.height - 20);
}

TEST_CASE("what cannot be drawn") {
  const auto fails = [](const auto& change) {
    Plot plot = small_plot();
    change(plot);
    CHECK_THROWS_AS(draw_plot(plot), Error);
  };
  fails([](Plot& plot) { plot.series.clear(); });
  fails([](Plot& plot) { plot.series[0].x.pop_back(); });
  fails([](Plot& plot) { plot.series[0].y = {no_number, no_number, no_number}; });
  fails([](Plot& plot) { plot.series[0].x[0] = no_number; });
  fails([](Plot& plot) { plot.references = {{"", no_number, red}}; });
  fails([](Plot& plot) { plot.y_low = plot.y_high = 3; });
  fails([](Plot& plot) { plot.width = 100; });
  CHECK(plot_colour(0) == plot_colour(7));
  for (int i = 0; i < 7; ++i)
    for (int j = 0; j < i; ++j) CHECK(!(plot_colour(i) == plot_colour(j)));
}
