export const ja = {
  replace: "RALU サンプラーに置き換える",
  in_front: "手前に RALU を入れる",
  switch_on: "RALU をもう一度オンにする",
  nothing_replace: "KSampler を 1 つ選んでください。ほかのサンプラーには手前に RALU を置きます。",
  nothing_in_front: "MODEL をサンプリングし、手前に RALU のないノードを 1 つ選んでください。",
  other: (name, value, now) =>
    `RALU サンプラーには ${name} の ${value} がないため、${now} にしました。RALU を手前に入れればそのまま使えます。`,
  switched_on: (title) => `別のグラフでミュートまたはバイパスされていた ${title} が、また働きます。`,
  lost: (names) => `接続し直せなかった入力：${names}。`,
  taken: (title) => `${title} の設定と接続を引き継ぎました。${title} はもう働きません。`,
  piped: (title, name) =>
    `${title} の MODEL はパイプで届きます。MODEL をノード RALU に通し、入力 ${name} につないでください。`,
  unwired: "MODEL がつながっていません。実行時にほかのノードが配るのでなければ、RALU につないでください。",
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
  regions: "先に細かくなった領域",
  no_server: "グラフなし：サーバーが応答しません。",
  earlier: (count) => `以前の ${count} 行`,
  head_steps: "ステップ",
  head_calls: "呼び出し",
  head_tokens: "トークン",
  head_seconds: "秒",
  seconds: (all, loading) => `合計 ${all} 秒、うちモデルの読み込みまで ${loading} 秒。`,
  compared_ran: (steps, seconds) => `ステップ数 ${steps}、計 ${seconds} 秒。`,
  compared_fewer: (times, steps, size) => `${size} での FLOPs は通常の ${steps} ステップの 1/${times}`,
  compared_more: (times, steps, size) => `${size} での FLOPs は通常の ${steps} ステップの ${times} 倍`,
  compared_published: (said) => `(論文の比較：${said})`,
  compared_cold: (predicted) =>
    `モデル計算量の予測は通常の ${predicted} ステップ分。重みの読み込み中だったため未計測です。もう一度実行してください。それでも変わらなければ、MODEL と VAE が同時にはメモリに収まりません。`,
  compared_free: (measured, each, predicted) =>
    `通常の ${measured} ステップ分の時間（1 ステップ実測 ${each} 秒）。予測は ${predicted}。`,
  compared: (times, plain, each, predicted) =>
    `通常の ${plain} ステップの ${times} 倍の速さ（1 ステップ実測 ${each} 秒）。予測は ${predicted} 倍。`,
  compared_published_steps: (steps, times) => `論文の ${steps} ステップとの比較では ${times} 倍。`,
  compared_no_gain: "ここでは効果がなく、通常のステップのほうが速くなります。",
  compared_plan: (name) => `プラン：${name}。`,
  plainly: (why) => `通常どおりサンプリングしました：${why}。`,
  said: {
    rises: "ノイズレベルがステップごとに下がっていません",
    too_small: ({ least }) => `一辺 ${least} ピクセルでは小さすぎます`,
    many_cfgs: ({ steps }) => `GUIDER の cfg が ${steps} ステップそれぞれで異なります。1 つにしてください`,
    none_to_spare: ({ steps }) => `${steps} ステップからは 1 つも減らせません`,
    none_for_paper: ({ steps }) =>
      `${steps} ステップからは 1 つも減らせません。蒸留モデルなら fine、balanced、draft を選び、そうでなければステップ数を増やしてください`,
    stops_early: ({ end, full }) =>
      `このサンプラーはノイズレベル ${end} で止まり、プランがフルサイズになる ${full} に届きません`,
    enlarges: "このサンプラーはサンプリング中に画像を拡大します",
    shares_steps: "このサンプラーはステップをほかのサンプラーと分け合い、自分で数えます",
    own_levels: "このサンプラーはノイズレベルを自分で決めます",
    needs_steps: ({ least, left }) =>
      `このサンプラーには ${least} ステップが必要ですが、プランに残るのは ${left} ステップです`,
    half_too_small: ({ size, least }) => `${size} の半分では小さすぎます。${least} ピクセル以上にしてください`,
    goes_on: "このサンプラーは latent にあるノイズの続きから始めますが、プランは新しいノイズを作ります",
    saves_little: ({ plan, share, steps }) =>
      `${plan} はこの ${steps} ステップの計算量の ${share} を使います。ステップ数を増やすか、軽い quality を選んでください`,
    taken_for_turbo: ({ least }) =>
      `ステップ数が少ないため turbo モデルとみなしました。そうでなければ ${least} 以上にしてください`,
    shift_is_bounded: ({ shift, most }) =>
      `MODEL の shift ${shift} は、プランが扱える最大の ${most} として扱いました`,
    takes_share: ({ part, whole }) =>
      `latent にほかのサンプラーの続きのノイズがあるため、${whole} ステップのうち ${part} ステップを受け持ちました`,
    replaces: ({ sampler }) => `${sampler} の代わりに RALU の 2 次のステップを使いました`,
    others_steps: ({ sampler }) =>
      `${sampler} のステップで実行しました。プランは 2 次のステップ用です。それには ComfyUI の euler を選んでください`,
    schedule_is_plan: ({ quality }) => `接続された schedule がプランになるため、${quality} は働きません`,
    left_out: ({ inputs }) => `このプランに先に細かくなる領域はないため、${inputs} は働きません`,
    read_in_full: "半分のサイズのステージがないため、参照画像はすべてそのまま読みました",
    areas_see_all: "領域指定のプロンプトはここでは画像全体を見ます。比較には含まれていません",
  },
};
