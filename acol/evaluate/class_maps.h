// Maps of a batch at test: branch A once, then one erase and branch-B pass for each class asked for.
#pragma once

#include <vector>

#include "acol/evaluate/score_map.h"
#include "acol/network/network.h"

namespace acol {

// Branch A's pass over a batch of N.
struct PassA {
  Tensor features;       // (N, P, Q, C)
  Tensor maps;           // (N, P, Q, K)
  Tensor probabilities;  // (N, K), softmax of A's logits: what classifies
};
PassA forward_a(Network& network, const Tensor& images);

// Branch A's answer alone, (N, K) each: no map is kept.
struct AnswerA {
  Tensor logits, probabilities;
};
AnswerA answer_a(Network& network, const Tensor& images);

// The logits of B (N, K) when the hole is cut where A's map of labels[n] is high.
Tensor logits_b(Network& network, const PassA& a, const std::vector<int>& labels);

// The maps of one class on one image, P x Q, each min-max normalised to [0, 1].
struct ClassMaps {
  ScoreMap a;
  ScoreMap b;      // a network of method cam has none: width 0
  ScoreMap fused;  // max(a, b) (paper, section 3.2); a for cam
};
// For every image the maps of labels[n]; B sees the features with that label's discovery erased.
std::vector<ClassMaps> class_maps(Network& network, const PassA& a, const std::vector<int>& labels);
// The same with holes cut by the labels `holes`: B's map of labels[n] behind another class's hole.
std::vector<ClassMaps> class_maps(Network& network, const PassA& a, const std::vector<int>& labels,
                                  const std::vector<int>& holes);

// The `count` best classes of row `image` of scores (N, K), best first; of equal ones the lower number first.
std::vector<int> top_classes(const Tensor& scores, int image, int count);
// The best class of every row of scores (N, K), probabilities or logits.
std::vector<int> answers(const Tensor& scores);

}  // namespace acol
