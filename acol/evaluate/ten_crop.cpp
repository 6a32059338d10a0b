#include "acol/evaluate/ten_crop.h"

#include "acol/evaluate/class_maps.h"
#include "tensor/check.h"
#include "tensor/cpu/parallel.h"

namespace acol {

std::optional<TestInput> crop_source(TenCrop ten_crop) {
  if (ten_crop == TenCrop::none) return std::nullopt;
  return ten_crop == TenCrop::official ? TestInput::centre : TestInput::centre_warp;
}

Tensor ten_crop_scores(Network& network, const Preprocessing& how, const std::vector<Image>& sources,
                       TenCrop ten_crop) {
  check(ten_crop != TenCrop::none, "ten crops: say whose, official or cam");
  check(!sources.empty(), "ten crops: no picture given");
  std::vector<std::array<CropPlace, 10>> places;
  for (const Image& image : sources) places.push_back(ten_crops(image.width, image.height, how.crop));

  const std::int64_t numbers = std::int64_t{3} * how.crop * how.crop;
  Tensor crops = Tensor::empty_on_host({static_cast<int>(sources.size()), how.crop, how.crop, 3});
  std::vector<double> sums;
  Tensor scores;
  for (std::size_t c = 0; c < 10; ++c) {
    parallel_chunks(static_cast<std::int64_t>(sources.size()), 1, [&](std::int64_t n, std::int64_t) {
      const auto i = static_cast<std::size_t>(n);
      const CropPlace& place = places[i][c];
      normalise(sources[i], how, place.x, place.y, place.mirror, crops.f32() + n * numbers);
    });
    const AnswerA answer = answer_a(network, crops);
    scores = ten_crop == TenCrop::official ? answer.logits : answer.probabilities;
    sums.resize(static_cast<std::size_t>(scores.count()));
    for (std::int64_t i = 0; i < scores.count(); ++i) sums[static_cast<std::size_t>(i)] += scores.at(i);
  }
  for (std::int64_t i = 0; i < scores.count(); ++i) scores.set(i, sums[static_cast<std::size_t>(i)] / 10);
  return scores;
}

}  // namespace acol
