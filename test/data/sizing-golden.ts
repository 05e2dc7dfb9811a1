/** Costs of the first five minutes, seed 1: pg-pool, mysql2, tarn, fixed 10, oracle, the engine without and with its forecaster. */
export const GOLDEN_COSTS: Readonly<Record<string, readonly number[]>> = {
  steady: [2767.5, 3609.8, 2172.3, 1866.2, 787.2, 1996.9, 1924.9],
  ramp: [3316.8, 2872.9, 2164.7, 48907.7, 1277.6, 2137.7, 2069.5],
  diurnal: [3139.7, 3286.9, 2345.5, 68078.2, 1233.4, 2172.4, 2084.7],
  flash: [3594.8, 4104.5, 3285.4, 5404967.7, 341.4, 3067.9, 3104.3],
  periodic: [29227.9, 4020.8, 3020.3, 1534.8, 37.4, 29201, 2296.1],
  cron: [17502.2, 5350, 15593.9, 3924, 3.7, 17502.1, 6562.1],
  mmpp: [11044.4, 4118.5, 4054.8, 7803.5, 389.3, 8385.9, 5341.3],
  'heavy-tailed': [5316.8, 2832.2, 1762.7, 1600.6, 19.8, 2702.2, 2585.5],
};
