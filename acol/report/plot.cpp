#include "acol/report/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>

#include "acol/report/font.h"
#include "acol/report/overlay.h"
#include "tensor/check.h"

namespace acol {

namespace {

constexpr Rgb ink{40, 40, 48}, soft{110, 110, 120}, grid{228, 228, 232}, axis_colour{150, 150, 158};
constexpr int text_scale = 2, title_scale = 3;
constexpr double line_width = 2.4, marker_radius = 5.5, rim = 1.6;
constexpr std::size_t most_x_ticks = 12;

struct Point {
  double x = 0, y = 0;
};

// (1 - share) of what is there plus share of the colour, at a pixel inside the picture.
void blend(Image& image, int x, int y, const Rgb& colour, double share) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height || !(share > 0)) return;
  const std::size_t at =
      (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x)) * 3;
  share = std::min(share, 1.0);
  for (std::size_t c = 0; c < 3; ++c)
    image.rgb[at + c] =
        static_cast<std::uint8_t>(std::lround((1 - share) * image.rgb[at + c] + share * double(colour[c])));
}

// Fills the shape whose signed distance (negative inside, in pixels) from a pixel's centre is `distance`, with soft
// edges, where the shape lies inside the box around `from` and `to`.
template <class Distance>
void fill_shape(Image& image, Point from, Point to, const Rgb& colour, const Distance& distance) {
  const int x0 = static_cast<int>(std::floor(std::min(from.x, to.x))) - 1;
  const int x1 = static_cast<int>(std::ceil(std::max(from.x, to.x))) + 1;
  const int y0 = static_cast<int>(std::floor(std::min(from.y, to.y))) - 1;
  const int y1 = static_cast<int>(std::ceil(std::max(from.y, to.y))) + 1;
  for (int y = std::max(y0, 0); y <= std::min(y1, image.height - 1); ++y)
    for (int x = std::max(x0, 0); x <= std::min(x1, image.width - 1); ++x)
      blend(image, x, y, colour, 0.5 - distance(Point{double(x), double(y)}));
}

double distance_to_segment(Point p, Point a, Point b) {
  const double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
  const double t = length > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length, 0.0, 1.0) : 0;
  return std::hypot(p.x - (a.x + t * dx), p.y - (a.y + t * dy));
}

void draw_line(Image& image, Point a, Point b, const Rgb& colour, double width) {
  const Point margin{width, width};
  fill_shape(image, {std::min(a.x, b.x) - margin.x, std::min(a.y, b.y) - margin.y},
             {std::max(a.x, b.x) + margin.x, std::max(a.y, b.y) + margin.y}, colour,
             [&](Point p) { return distance_to_segment(p, a, b) - width / 2; });
}

void draw_dashes(Image& image, double x0, double x1, double y, const Rgb& colour) {
  constexpr double dash = 9, gap = 6;
  for (double x = x0; x < x1; x += dash + gap) draw_line(image, {x, y}, {std::min(x + dash, x1), y}, colour, 1.8);
}

// Distance from the edge of marker `shape` of radius r around the origin: a disc, a square, a diamond, a triangle. All
// cover about the same area.
double marker_distance(int shape, Point p, double r) {
  const double ax = std::abs(p.x), ay = std::abs(p.y);
  switch (shape % 4) {
    case 0:
      return std::hypot(p.x, p.y) - r;
    case 1:
      return std::max(ax, ay) - 0.89 * r;
    case 2:
      return (ax + ay) / std::sqrt(2.0) - 0.89 * r;
    default:  // three half-planes at a distance of 0.72 r from the centre
      return std::max(p.y, std::sqrt(3.0) / 2 * ax - p.y / 2) - 0.72 * r;
  }
}

// With a white rim, so that it stands out from the lines that cross it.
void draw_marker(Image& image, int shape, Point at, const Rgb& colour) {
  const double reach = 2 * (marker_radius + rim);
  const auto fill = [&](const Rgb& with, double more) {
    fill_shape(image, {at.x - reach, at.y - reach}, {at.x + reach, at.y + reach}, with, [&](Point p) {
      return marker_distance(shape, {p.x - at.x, p.y - at.y}, marker_radius) - more;
    });
  };
  fill(palette::white, rim);
  fill(colour, 0);
}

// As much of the text as fits, with dots where something is missing.
std::string fitting(std::string text, int width, int scale) {
  if (text_width(text, scale) <= width) return text;
  while (!text.empty() && text_width(text + "..", scale) > width) text.pop_back();
  return text + "..";
}

void draw_centred(Image& image, int x, int y, const std::string& text, const Rgb& colour, int scale) {
  draw_text(image, x - text_width(text, scale) / 2, y, text, colour, scale);
}

void check_plot(const Plot& plot) {
  check(plot.width >= 200 && plot.height >= 150, "plot: ", plot.width, " x ", plot.height,
        " pixels are too few: at least 200 x 150");
  check(!plot.series.empty(), "plot: no series given");
  for (const PlotSeries& series : plot.series) {
    check(series.x.size() == series.y.size(), "plot: series '", series.name, "' has ", series.x.size(), " x and ",
          series.y.size(), " y");
    bool some = false;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      check(std::isfinite(series.x[i]), "plot: series '", series.name, "' has an x that is not finite");
      check(plot.x_names.empty() || (series.x[i] == std::floor(series.x[i]) && series.x[i] >= 0 &&
                                     series.x[i] < double(plot.x_names.size())),
            "plot: series '", series.name, "' has an x of ", series.x[i], ", for which there is no name");
      some = some || std::isfinite(series.y[i]);
    }
    check(some, "plot: series '", series.name, "' has no finite point");
  }
  for (const PlotReference& line : plot.references)
    check(std::isfinite(line.y), "plot: the line '", line.name, "' is at no finite y");
  check(!plot.y_low || !plot.y_high || *plot.y_low < *plot.y_high, "plot: the y axis must not end where it begins");
}

// From numbers to pixels.
struct Frame {
  double left = 0, right = 0, top = 0, bottom = 0;  // of the plotted area, in pixels
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;
  double x(double value) const { return left + (value - x_low) / (x_high - x_low) * (right - left); }
  double y(double value) const { return bottom - (value - y_low) / (y_high - y_low) * (bottom - top); }
};

struct Ticks {
  std::vector<double> at;
  std::vector<std::string> text;
};

Ticks number_ticks(const std::vector<double>& at) {
  Ticks ticks{at, {}};
  const double step = at.size() > 1 ? at[1] - at[0] : 1;
  for (const double value : at) ticks.text.push_back(tick_text(value, step));
  return ticks;
}

// As short as the numbers allow: "0.5", "0.55".
std::string short_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// Each x that occurs, where there are few; else round ones.
Ticks x_ticks(const Plot& plot) {
  std::set<double> seen;
  for (const PlotSeries& series : plot.series) seen.insert(series.x.begin(), series.x.end());
  Ticks ticks;
  if (!plot.x_names.empty()) {
    for (std::size_t i = 0; i < plot.x_names.size(); ++i) ticks.at.push_back(double(i));
    ticks.text = plot.x_names;
  } else if (seen.size() <= most_x_ticks) {
    for (const double value : seen) {
      ticks.at.push_back(value);
      ticks.text.push_back(short_text(value));
    }
  } else {
    ticks = number_ticks(round_ticks(*seen.begin(), *seen.rbegin(), 6));
  }
  return ticks;
}

std::vector<double> y_ticks(const Plot& plot) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  const auto see = [&](double y) {
    if (!std::isfinite(y)) return;
    low = std::min(low, y);
    high = std::max(high, y);
  };
  for (const PlotSeries& series : plot.series)
    for (const double y : series.y) see(y);
  for (const PlotReference& line : plot.references) see(line.y);
  low = plot.y_low.value_or(low);
  high = plot.y_high.value_or(high);
  return round_ticks(std::min(low, high), std::max(low, high), 7);
}

void draw_axes(Image& image, const Frame& frame, const Ticks& x, const Ticks& y) {
  const int text_high = text_height(text_scale);
  for (std::size_t i = 0; i < y.at.size(); ++i) {
    const double at = std::round(frame.y(y.at[i]));
    draw_line(image, {frame.left, at}, {frame.right, at}, grid, 1);
    draw_text(image, static_cast<int>(frame.left) - 10 - text_width(y.text[i], text_scale),
              static_cast<int>(at) - text_high / 2, y.text[i], soft, text_scale);
  }
  draw_line(image, {frame.left, frame.bottom}, {frame.right, frame.bottom}, axis_colour, 1);
  // Labels are cut to the room between ticks; one that would still touch the one before is left out.
  const auto ticks = static_cast<double>(std::max<std::size_t>(x.at.size(), 2));
  const int room = std::max(60, static_cast<int>((frame.right - frame.left) / (ticks - 0.9)) - 6 * text_scale);
  int free_from = 0;
  for (std::size_t i = 0; i < x.at.size(); ++i) {
    const double at = std::round(frame.x(x.at[i]));
    draw_line(image, {at, frame.bottom}, {at, frame.bottom + 5}, axis_colour, 1);
    const std::string text = fitting(x.text[i], room, text_scale);
    const int width = text_width(text, text_scale);
    const int begin = i == 0 ? std::max(0, static_cast<int>(at) - width / 2) : static_cast<int>(at) - width / 2;
    if (begin < free_from) continue;
    draw_text(image, begin, static_cast<int>(frame.bottom) + 12, text, soft, text_scale);
    free_from = begin + width + 6 * text_scale;
  }
}

void draw_legend(Image& image, const Plot& plot, int left, int top) {
  const int line_height = text_height(text_scale) + 12, sample = 30;
  const int room = plot.width - left - sample - 18;
  const std::size_t entries = plot.series.size() + plot.references.size();
  const auto lines = static_cast<std::size_t>(std::max(1, (plot.height - top) / line_height));
  int y = top;
  std::size_t done = 0;
  // Where not all have room, dots stand for the rest.
  const auto full = [&] {
    if (entries <= lines || ++done < lines) return false;
    draw_text(image, left + sample + 8, y, "..", ink, text_scale);
    return true;
  };
  const auto name = [&](const std::string& text) {
    draw_text(image, left + sample + 8, y, fitting(text, room, text_scale), ink, text_scale);
    y += line_height;
  };
  const auto middle = [&] { return y + text_height(text_scale) / 2.0 - 0.5; };
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    if (full()) return;
    draw_line(image, {double(left), middle()}, {double(left + sample), middle()}, plot.series[i].colour, line_width);
    draw_marker(image, static_cast<int>(i), {left + sample / 2.0, middle()}, plot.series[i].colour);
    name(plot.series[i].name);
  }
  for (const PlotReference& line : plot.references) {
    if (full()) return;
    draw_dashes(image, left, left + sample, middle(), line.colour);
    name(line.name);
  }
}

int legend_width(const Plot& plot) {
  int widest = 0;
  for (const PlotSeries& series : plot.series) widest = std::max(widest, text_width(series.name, text_scale));
  for (const PlotReference& line : plot.references) widest = std::max(widest, text_width(line.name, text_scale));
  return std::min(widest + 30 + 8 + 30, plot.width * 2 / 5);
}

}  // namespace

Rgb plot_colour(int index) {
  static constexpr std::array<Rgb, 7> colours{
      {{0, 114, 178}, {213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {230, 159, 0}, {86, 180, 233}, {110, 110, 120}}};
  return colours[static_cast<std::size_t>(index < 0 ? 0 : index) % colours.size()];
}

std::vector<double> round_ticks(double low, double high, int about) {
  check(std::isfinite(low) && std::isfinite(high), "round_ticks: the ends must be finite, got ", low, " and ", high);
  check(low <= high && about >= 2, "round_ticks: expected low <= high and at least 2 ticks, got ", low, ", ", high,
        " and ", about);
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low <= 1e-9 * size) {  // one value, up to rounding: something around it
    const double room = size == 0 ? 1 : size * 0.1;
    low -= room;
    high += room;
  }
  const double raw = (high - low) / (about - 1), power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw * 0.8) {
      step = factor * power;
      break;
    }
  // A value that is a multiple up to rounding is one.
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  std::vector<double> ticks;
  for (double k = first; k <= last; ++k) ticks.push_back(k * step);
  return ticks;
}

std::string tick_text(double value, double step) {
  const int digits = step > 0 ? std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 9) : 0;
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value == 0 ? 0.0 : value);
  return text;
}

Image draw_plot(const Plot& plot) {
  check_plot(plot);
  Image image{plot.width, plot.height, {}};
  image.rgb.assign(static_cast<std::size_t>(plot.width) * static_cast<std::size_t>(plot.height) * 3, 255);

  const Ticks y = number_ticks(y_ticks(plot)), x = x_ticks(plot);
  const int text_high = text_height(text_scale);
  int y_text = 0;
  for (const std::string& text : y.text) y_text = std::max(y_text, text_width(text, text_scale));
  Frame frame;
  frame.left = 22 + y_text;
  frame.right = plot.width - 16 - legend_width(plot);
  frame.top =
      20 + (plot.title.empty() ? 0 : text_height(title_scale) + 12) + (plot.y_label.empty() ? 0 : text_high + 16);
  frame.bottom = plot.height - 26 - text_high - (plot.x_label.empty() ? 0 : text_high + 14);
  frame.y_low = plot.y_low.value_or(y.at.front());
  frame.y_high = plot.y_high.value_or(y.at.back());
  // A little room at both ends, so that no marker lies on the axis.
  const auto [first, last] = std::minmax_element(x.at.begin(), x.at.end());
  const double room = *last > *first ? 0.04 * (*last - *first) : 1;
  frame.x_low = *first - room;
  frame.x_high = *last + room;

  draw_text(image, 16, 14, fitting(plot.title, plot.width - 32, title_scale), ink, title_scale);
  draw_text(image, 16, static_cast<int>(frame.top) - text_high - 18, fitting(plot.y_label, plot.width - 32, text_scale),
            soft, text_scale);
  Ticks shown = y;
  for (std::size_t i = shown.at.size(); i-- > 0;)
    if (shown.at[i] < frame.y_low || shown.at[i] > frame.y_high) {
      shown.at.erase(shown.at.begin() + static_cast<std::ptrdiff_t>(i));
      shown.text.erase(shown.text.begin() + static_cast<std::ptrdiff_t>(i));
    }
  draw_axes(image, frame, x, shown);
  const int middle = static_cast<int>((frame.left + frame.right) / 2);
  draw_centred(image, middle, plot.height - 14 - text_high,
               fitting(plot.x_label, 2 * std::min(middle, plot.width - middle) - 32, text_scale), soft, text_scale);

  const auto inside = [&](double value) { return std::clamp(value, frame.y_low, frame.y_high); };
  for (const PlotReference& line : plot.references)
    draw_dashes(image, frame.left, frame.right, std::round(frame.y(inside(line.y))), line.colour);
  for (const PlotSeries& series : plot.series)
    for (std::size_t i = 1; i < series.x.size(); ++i)
      if (std::isfinite(series.y[i - 1]) && std::isfinite(series.y[i]))
        draw_line(image, {frame.x(series.x[i - 1]), frame.y(inside(series.y[i - 1]))},
                  {frame.x(series.x[i]), frame.y(inside(series.y[i]))}, series.colour, line_width);
  for (std::size_t s = 0; s < plot.series.size(); ++s)
    for (std::size_t i = 0; i < plot.series[s].x.size(); ++i)
      if (std::isfinite(plot.series[s].y[i]))
        draw_marker(image, static_cast<int>(s), {frame.x(plot.series[s].x[i]), frame.y(inside(plot.series[s].y[i]))},
                    plot.series[s].colour);
  draw_legend(image, plot, static_cast<int>(frame.right) + 18, static_cast<int>(frame.top));
  return image;
}

}  // namespace acol
