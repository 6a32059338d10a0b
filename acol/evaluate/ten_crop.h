// Classification from ten crops of each picture: the four corners, the middle, and the same mirrored.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acol/data/transform.h"
#include "acol/network/network.h"

namespace acol {

// How the ten answers of branch A become one; both sources cut the crops from differently resized pictures.
enum class TenCrop {
  none,      // one input only
  official,  // the official ACoL code: shorter side to `resize`; the logits are averaged and softmax is never applied
  cam,       // the CAM code: warped to resize x resize; the softmax scores are averaged
};
// What the crops are cut from, as resize_for_test makes it: for LoaderOptions::crop_source. Nothing for none.
std::optional<TestInput> crop_source(TenCrop ten_crop);

// Scores (N, K) by which classes are ranked: mean logits for official, mean probabilities for cam. Runs the trunk and
// branch A ten times, each time on one crop of all N pictures, so that no more than a batch is in memory.
// sources: resize_for_test of each picture for crop_source(ten_crop). Error: none, no picture, one smaller than a crop.
Tensor ten_crop_scores(Network& network, const Preprocessing& how, const std::vector<Image>& sources, TenCrop ten_crop);

}  // namespace acol
