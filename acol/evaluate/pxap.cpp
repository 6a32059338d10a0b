#include "acol/evaluate/pxap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "acol/data/image.h"
#include "acol/evaluate/max_box_acc.h"
#include "tensor/check.h"

namespace acol {

namespace {

// Whether each pixel of the grid lies on the mask of a file.
std::vector<bool> read_mask(const std::filesystem::path& path, int side) {
  const Image mask = read_image(path);
  const std::vector<int> columns = nearest_pixels(mask.width, side), rows = nearest_pixels(mask.height, side);
  std::vector<bool> on;
  on.reserve(columns.size() * rows.size());
  for (const int y : rows)
    for (const int x : columns) {
      const std::uint8_t* rgb = mask.rgb.data() +
                                (std::size_t{3} * static_cast<std::size_t>(mask.width)) * static_cast<std::size_t>(y) +
                                std::size_t{3} * static_cast<std::size_t>(x);
      const int grey = (rgb[0] * 9798 + rgb[1] * 19235 + rgb[2] * 3735 + 16384) >> 15;  // OpenCV's fixed point
      on.push_back(grey > 0);
    }
  return on;
}

}  // namespace

std::vector<int> nearest_pixels(int source, int size) {
  check(source >= 1 && size >= 1, "nearest_pixels: extents must be at least 1, got ", source, " and ", size);
  const double scale = 1.0 / (static_cast<double>(size) / source);
  std::vector<int> taken;
  for (int i = 0; i < size; ++i) taken.push_back(std::min(static_cast<int>(std::floor(i * scale)), source - 1));
  return taken;
}

std::vector<PixelTruth> mask_truth(const Dataset& data, const Sample& sample, int side) {
  check(!sample.masks.empty(), "PxAP: ", sample.id, " has no mask; leave it out");
  std::vector<PixelTruth> truth(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  const auto mark = [&](const std::string& name, PixelTruth value) {
    const std::vector<bool> on = read_mask(data.mask_path(name), side);
    for (std::size_t i = 0; i < truth.size(); ++i)
      if (on[i] && truth[i] != PixelTruth::object) truth[i] = value;
  };
  for (const std::string& name : sample.masks) mark(name, PixelTruth::object);
  if (!sample.ignore_mask.empty()) mark(sample.ignore_mask, PixelTruth::ignored);
  return truth;
}

PxAP::PxAP(double step) : step_(step), edges_(thresholds(step)) {
  for (const double edge : {1.0, 2.0, 3.0}) edges_.push_back(edge);
  sums_.object.assign(edges_.size() - 1, 0);
  sums_.background.assign(edges_.size() - 1, 0);
}

std::size_t PxAP::bin_of(double score) const {
  // The quotient is the bin or, where rounding moved it, a neighbour: the edges decide.
  std::size_t bin = std::min(static_cast<std::size_t>(score / step_), edges_.size() - 3);
  while (score < edges_[bin]) --bin;
  while (score >= edges_[bin + 1]) ++bin;
  return bin;
}

PxAP::Counts PxAP::counts(const ScoreMap& map, const std::vector<PixelTruth>& truth) const {
  validate(map, "PxAP");
  check(truth.size() == map.values.size(), "PxAP: a ", map.width, " x ", map.height, " map needs a truth of as many ",
        "pixels, got ", truth.size());
  Counts counts;
  counts.object.assign(edges_.size() - 1, 0);
  counts.background.assign(edges_.size() - 1, 0);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double score = map.values[i];
    check(score >= 0 && score <= 1, "PxAP: a score must be in [0, 1], got ", score, " at pixel ", i,
          "; min_max_normalise the map first");
    if (truth[i] == PixelTruth::ignored) continue;
    ++(truth[i] == PixelTruth::object ? counts.object : counts.background)[bin_of(score)];
  }
  return counts;
}

void PxAP::add(const Counts& counts) {
  check(counts.object.size() == sums_.object.size() && counts.background.size() == sums_.background.size(),
        "PxAP: counts of ", counts.object.size(), " bins do not fit ", sums_.object.size());
  for (std::size_t i = 0; i < sums_.object.size(); ++i) {
    sums_.object[i] += counts.object[i];
    sums_.background[i] += counts.background[i];
  }
  ++pictures_;
}

PxAP::Curve PxAP::curve() const {
  std::int64_t all = 0;
  for (const std::int64_t pixels : sums_.object) all += pixels;
  check(all > 0, "PxAP: no pixel of an object in ", pictures_, " pictures; are these the right masks?");
  Curve curve;
  std::int64_t object = 0, both = 0;
  for (std::size_t bin = sums_.object.size(); bin-- > 0;) {
    object += sums_.object[bin];
    both += sums_.object[bin] + sums_.background[bin];
    curve.thresholds.push_back(edges_[bin]);
    curve.precision.push_back(both > 0 ? static_cast<double>(object) / static_cast<double>(both)
                                       : std::numeric_limits<double>::quiet_NaN());
    curve.recall.push_back(static_cast<double>(object) / static_cast<double>(all));
  }
  return curve;
}

double PxAP::percent() const {
  const Curve curve = this->curve();
  double sum = 0;
  for (std::size_t i = 1; i < curve.recall.size(); ++i)
    if (!std::isnan(curve.precision[i])) sum += curve.precision[i] * (curve.recall[i] - curve.recall[i - 1]);
  return sum * 100;
}

}  // namespace acol
