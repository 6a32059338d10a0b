#include "acol/evaluate/normalise.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tensor/check.h"

namespace acol {

namespace {

struct Known {
  MapNormalisation kind;
  const char* name;
  double percentile;  // the default; below 0: it has none
};
constexpr Known known[] = {{MapNormalisation::min_max, "min-max", -1},
                           {MapNormalisation::max, "max", -1},
                           {MapNormalisation::pas, "pas", 90},
                           {MapNormalisation::ivr, "ivr", 45}};

bool in_percent(double percent) { return percent >= 0 && percent <= 100; }

// Nothing can be read off a map that is constant, not finite, or wider than a double.
bool useless(const ScoreMap& map) {
  const auto [low, high] = std::minmax_element(map.values.begin(), map.values.end());
  return !std::all_of(map.values.begin(), map.values.end(), [](double v) { return std::isfinite(v); }) ||
         !(*high > *low) || !std::isfinite(*high - *low);
}

// max(v - zero, 0) / (max - zero)
void scale_above(ScoreMap& map, double zero) {
  const double range = *std::max_element(map.values.begin(), map.values.end()) - zero;
  for (double& v : map.values) v = range > 0 ? std::max(v - zero, 0.0) / range : 0.0;
}

void cap_at_percentile(ScoreMap& map, const Normalisation& how) {
  const double low = *std::min_element(map.values.begin(), map.values.end());
  for (double& v : map.values) v -= low;
  const double top = percentile(map.values, how.percentile, how.reading);
  for (double& v : map.values) v = top > 0 ? std::min(v / top, 1.0) : v > 0 ? 1.0 : 0.0;
}

}  // namespace

Normalisation parse_normalisation(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  const auto at = std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return name == k.name; });
  check(at != std::end(known), "normalisation: expected min-max, max, pas or ivr, got ", text);
  Normalisation result{at->kind, std::max(at->percentile, 0.0), Percentile::linear};
  if (name.size() == text.size()) return result;

  std::string number = text.substr(name.size() + 1);
  check(at->percentile >= 0, "normalisation: ", name, " takes no percentile, got ", text);
  if (const std::string rank = "/rank"; number.ends_with(rank)) {
    number.resize(number.size() - rank.size());
    result.reading = Percentile::rank;
  }
  const char* const end = number.data() + number.size();
  const auto [stopped, error] = std::from_chars(number.data(), end, result.percentile);
  check(error == std::errc() && stopped == end && in_percent(result.percentile), "normalisation: ", name,
        " takes a percentile from 0 to 100, as in ", name, ":", at->percentile, " or ", name, ":", at->percentile,
        "/rank, got ", text);
  return result;
}

std::string name_of(const Normalisation& normalisation) {
  const Known& entry = known[static_cast<std::size_t>(normalisation.kind)];
  if (entry.percentile < 0) return entry.name;
  char number[32];
  const auto end = std::to_chars(std::begin(number), std::end(number), normalisation.percentile).ptr;
  return message(entry.name, ":", std::string(std::begin(number), end),
                 normalisation.reading == Percentile::rank ? "/rank" : "");
}

std::vector<std::string> normalisation_names() {
  std::vector<std::string> names;
  for (const Known& entry : known) names.emplace_back(entry.name);
  return names;
}

double percentile(std::vector<double> values, double percent, Percentile reading) {
  check(!values.empty(), "percentile: no number given");
  check(in_percent(percent), "percentile: expected 0 to 100, got ", percent);
  check(std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); }),
        "percentile: a number is not finite");
  const std::size_t last = values.size() - 1;
  const double fraction = percent / 100;
  const double place = fraction * static_cast<double>(reading == Percentile::rank ? values.size() : last);
  const std::size_t below = std::min(static_cast<std::size_t>(place), last);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  if (reading == Percentile::rank || below == last) return *at;
  const double low = *at, high = *std::min_element(at + 1, values.end());
  const double share = place - static_cast<double>(below);
  // From the nearer end, as NumPy does, so that the last bit agrees.
  return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

void normalise(ScoreMap& map, const Normalisation& normalisation) {
  validate(map, "normalise");
  check(in_percent(normalisation.percentile), "normalise: a percentile is from 0 to 100, got ",
        normalisation.percentile);
  if (useless(map)) {
    std::fill(map.values.begin(), map.values.end(), 0.0);
    return;
  }
  switch (normalisation.kind) {
    case MapNormalisation::min_max:
      return min_max_normalise(map);
    case MapNormalisation::max:
      return scale_above(map, 0);
    case MapNormalisation::pas:
      return cap_at_percentile(map, normalisation);
    case MapNormalisation::ivr:
      return scale_above(map, percentile(map.values, normalisation.percentile, normalisation.reading));
  }
}

}  // namespace acol
