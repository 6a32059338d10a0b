// Pictures of results: heat over photo, boxes, panels with captions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acol/data/box.h"
#include "acol/data/image.h"
#include "acol/evaluate/score_map.h"
#include "acol/report/colour.h"

namespace acol {

namespace palette {
inline constexpr Rgb green{60, 220, 90}, red{235, 50, 50}, white{255, 255, 255}, black{0, 0, 0};
}

// (1 - alpha) picture + alpha heat_colour(score) at each pixel. The map is in [0, 1]; it is resized to the picture
// (bilinear) if their extents differ. Error: alpha outside [0, 1], an empty picture or map.
Image overlay(const Image& picture, const ScoreMap& map, double alpha = 0.5);

// The map alone, as colours.
Image heat_picture(const ScoreMap& map);

// The outline of the inclusive box, `thickness` pixels drawn inwards; what lies outside the picture is not drawn.
void draw_box(Image& image, const Box& box, const Rgb& colour, int thickness = 2);

// Text with its top left corner at (x, y), in letters 5 pixels wide and 7 high, one pixel apart, each times `scale`.
// Small letters are drawn as capitals, characters without a shape as a hollow box. What lies outside is not drawn.
void draw_text(Image& image, int x, int y, std::string_view text, const Rgb& colour, int scale = 1);
int text_width(std::string_view text, int scale = 1);
inline int text_height(int scale = 1) { return 7 * scale; }

// The picture on top of a dark strip with the text in white, cut at the picture's width.
Image captioned(const Image& image, std::string_view text, int scale = 1);

// Panels in a row (side_by_side) or column (stacked) with `gap` white pixels between; the smaller ones are aligned at
// the top left and filled up with white. Error: none given.
Image side_by_side(const std::vector<Image>& panels, int gap = 4);
Image stacked(const std::vector<Image>& panels, int gap = 4);

}  // namespace acol
