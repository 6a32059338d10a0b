// PxAP of a network: maps of the true class against the data's masks, as they come, with no file between.
#pragma once

#include "acol/data/dataset.h"
#include "acol/evaluate/evaluate.h"

namespace acol {

// In percent. Of `how` it takes input, normalisation, batch_size, workers, map_side, progress and stop_requested. The
// hole is cut by the true class. Puts the network into evaluation mode. Error: no picture has a mask.
double network_pxap(Network& network, const Preprocessing& preprocessing, const Dataset& data,
                    const EvaluateOptions& how);

}  // namespace acol
