// Line plots: numbers over a setting, as a picture.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acol/data/image.h"
#include "acol/report/colour.h"

namespace acol {

// A colour for the index-th thing in a plot, counted from 0 and again from the start after the last: six that
// colour-blind readers tell apart (of the eight of Okabe and Ito, "Color universal design", 2008; not black, and not
// yellow, which nobody sees on white), and a grey.
Rgb plot_colour(int index);

// Points joined by lines in the order given. Series number i has the i-th of four marker shapes, so that a grey print
// can be read. A y that is NaN is a gap: no marker, and the line stops and starts again.
struct PlotSeries {
  std::string name;
  std::vector<double> x, y;  // equally many
  Rgb colour{};
};

// A dashed line across the plot: something to compare with that does not depend on x.
struct PlotReference {
  std::string name;
  double y = 0;
  Rgb colour{};
};

struct Plot {
  std::string title, x_label;
  std::string y_label;  // stands above the axis, so that nobody has to turn the head
  std::vector<PlotSeries> series;
  std::vector<PlotReference> references;
  // Where x is no number but a choice, the names of 0, 1, 2, ...: they stand below the axis in place of numbers.
  std::vector<std::string> x_names;
  std::optional<double> y_low, y_high;  // ends of the y axis; by default what the data need, with round ends
  int width = 760, height = 480;        // pixels
};

// The picture: white, thin grey lines at round values of y, a tick at each x where there are few, a legend on the right
// in the order given, series first. Texts are in the small capitals of font.h; a name too long for the legend is cut,
// and dots stand for those that have no room in it. Error: no series, one with unequally many x and y or without a
// finite point, an x or reference that is not finite, an x that x_names has no name for, y_low >= y_high, a picture of
// less than 200 x 150 pixels.
Image draw_plot(const Plot& plot);

// Round values (1, 2 or 5 times a power of ten apart), at least two and about `about` of them, of which the first is
// <= low and the last >= high. Error: numbers that are not finite, high < low, about < 2.
std::vector<double> round_ticks(double low, double high, int about);

// The number as a label for a tick that is `step` from the next: as many digits behind the point as that needs.
std::string tick_text(double value, double step);

}  // namespace acol
