export const ja = {
  replace: "RALU サンプラーに置き換える",
  in_front: "手前に RALU を入れる",
  other: (name, value, now) => `${name} の ${value} はステージに分けられないため、${now} にしました。`,
  lost: (names) => `接続し直せなかった入力：${names}。`,
  no_vae: (detector) =>
    `サンプラーの後に VAE がないため、edge_detector を VAE の要らない ${detector} にしました。`,
  stage: (number) => `ステージ ${number}`,
  steps: (count) => `${count} ステップ`,
  tokens: (count) => `${count} トークン`,
  levels: "各ステップの sigma",
  visits: "時刻 t = 1 - sigma の訪問頻度",
  matched: (z, c, distance) => `z ${z}、c ${c}、JS 距離 ${distance}`,
  any_shift: "モデルの shift を問わない",
  for_shift: (shift) => `モデルの shift ${shift} 用`,
  solved: (shift) => `前回の実行で解いた値、${shift}`,
  model_decides: (shift) => `${shift}。実行時はモデルの値を読みます`,
  wired: (name) => `${name} は接続先が決めるため、グラフは実行後に描かれます。`,
  no_server: "グラフなし：サーバーが応答しません。",
  head_steps: "ステップ",
  head_calls: "呼び出し",
  head_tokens: "トークン",
  head_seconds: "秒",
  seconds: (all, loading) => `合計 ${all} 秒、うちモデルの読み込みまで ${loading} 秒。`,
  compared_fewer: (times, steps, size) => `${size} での FLOPs は通常の ${steps} ステップの 1/${times}`,
  compared_more: (times, steps, size) => `${size} での FLOPs は通常の ${steps} ステップの ${times} 倍`,
  compared_published: (said) => `(論文の比較：${said})`,
  compared_cold: (predicted) =>
    `モデル計算量の予測は通常の ${predicted} ステップ分。重みの読み込み中だったため未計測です。もう一度実行してください。`,
  compared_free: (measured, each, predicted) =>
    `通常の ${measured} ステップ分の時間（1 ステップ実測 ${each} 秒）。予測は ${predicted}。`,
  compared: (times, plain, each, predicted) =>
    `通常の ${plain} ステップの ${times} 倍の速さ（1 ステップ実測 ${each} 秒）。予測は ${predicted} 倍。`,
};
