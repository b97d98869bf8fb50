export const ko = {
  replace: "RALU 샘플러로 바꾸기",
  in_front: "앞에 RALU 넣기",
  switch_on: "RALU 다시 켜기",
  nothing_replace: "KSampler 하나를 선택하세요. 다른 샘플러에는 앞에 RALU를 놓습니다.",
  nothing_in_front: "MODEL을 샘플링하고 앞에 RALU가 없는 노드 하나를 선택하세요.",
  other: (name, value, now) =>
    `RALU 샘플러에는 ${name} ${value}이(가) 없어 ${now}(으)로 설정했습니다. 앞에 RALU를 넣으면 그대로 쓸 수 있습니다.`,
  switched_on: (title) => `다른 그래프에서 음소거되거나 우회되었던 ${title} 노드가 다시 작동합니다.`,
  lost: (names) => `다시 연결하지 못한 입력: ${names}.`,
  taken: (title) => `${title}의 설정과 연결을 이어받았습니다. ${title}은(는) 더 이상 작용하지 않습니다.`,
  piped: (title, name) =>
    `${title}은(는) MODEL을 파이프로 받습니다. MODEL을 RALU 노드를 거쳐 입력 ${name}에 연결하세요.`,
  unwired: "MODEL이 연결되어 있지 않습니다. 실행할 때 다른 노드가 나눠 주지 않는다면 RALU에 연결하세요.",
  stage: (number) => `단계 ${number}`,
  steps: (count) => `${count}스텝`,
  tokens: (count) => `토큰 ${count}개`,
  levels: "스텝별 sigma",
  visits: "시간 t = 1 - sigma 방문 빈도",
  matched: (z, c, distance) => `z ${z}, c ${c}, JS 거리 ${distance}`,
  any_shift: "모든 모델 shift용",
  for_shift: (shift) => `모델 shift ${shift}용`,
  solved: (shift) => `지난 실행에서 푼 값, ${shift}`,
  model_decides: (shift) => `${shift}; 실행할 때는 모델의 값을 읽습니다`,
  wired: (name) => `${name}은(는) 연결이 정하므로 실행한 뒤에 그립니다.`,
  regions: "먼저 세밀해진 영역",
  no_server: "그래프 없음: 서버가 응답하지 않습니다.",
  earlier: (count) => `이전 ${count}줄`,
  head_steps: "스텝",
  head_calls: "호출",
  head_tokens: "토큰",
  head_seconds: "초",
  seconds: (all, loading) => `모두 ${all}초, 그중 모델을 불러오기까지 ${loading}초.`,
  compared_ran: (steps, seconds) => `스텝 ${steps}, 총 ${seconds}초. `,
  compared_fewer: (times, steps, size) => `${size}에서 FLOPs가 일반 ${steps}스텝의 1/${times}`,
  compared_more: (times, steps, size) => `${size}에서 FLOPs가 일반 ${steps}스텝의 ${times}배`,
  compared_published: (said) => `(논문의 비교: ${said})`,
  compared_cold: (predicted) =>
    `예상 모델 계산량은 일반 ${predicted}스텝. 가중치를 불러오는 중이라 재지 않았으니 한 번 더 실행하세요. 그래도 그대로면 MODEL과 VAE가 함께 메모리에 들어가지 않는 것입니다.`,
  compared_free: (measured, each, predicted) =>
    `일반 ${measured}스텝만큼의 시간(스텝당 측정 ${each}초). 예상 ${predicted}.`,
  compared: (times, plain, each, predicted) =>
    `일반 ${plain}스텝보다 ${times}배 빠름(스텝당 측정 ${each}초). 예상 ${predicted}배.`,
  compared_published_steps: (steps, times) => `논문의 ${steps}스텝과 비교하면 ${times}배.`,
  compared_no_gain: "여기서는 효과가 없어 일반 스텝이 더 빠릅니다.",
  compared_plan: (name) => `플랜: ${name}.`,
  plainly: (why) => `일반 방식으로 샘플링했습니다: ${why}.`,
  said: {
    rises: "노이즈 수준이 스텝마다 내려가지 않습니다",
    too_small: ({ least }) => `한 변 ${least}픽셀은 너무 작습니다`,
    many_cfgs: ({ steps }) => `GUIDER의 cfg가 ${steps}스텝마다 다릅니다. 하나로 맞추세요`,
    none_to_spare: ({ steps }) => `${steps}스텝에서는 줄일 스텝이 없습니다`,
    none_for_paper: ({ steps }) =>
      `${steps}스텝에서는 줄일 스텝이 없습니다. 증류 모델이면 fine, balanced, draft를 고르고, 아니면 스텝 수를 늘리세요`,
    stops_early: ({ end, full }) =>
      `이 샘플러는 노이즈 수준 ${end}에서 멈춰, 플랜이 전체 크기가 되는 ${full}에 이르지 않습니다`,
    enlarges: "이 샘플러는 샘플링하면서 이미지를 키웁니다",
    shares_steps: "이 샘플러는 스텝을 다른 샘플러와 나누고 스스로 셉니다",
    own_levels: "이 샘플러는 노이즈 수준을 스스로 정합니다",
    needs_steps: ({ least, left }) =>
      `이 샘플러에는 ${least}스텝이 필요한데 플랜에 남은 것은 ${left}스텝입니다`,
    half_too_small: ({ size, least }) => `${size}의 절반은 너무 작습니다. ${least}픽셀 이상이어야 합니다`,
    goes_on: "이 샘플러는 latent에 있는 노이즈를 이어받는데, 플랜은 새 노이즈를 만듭니다",
    saves_little: ({ plan, share, steps }) =>
      `${plan}: 이 ${steps}스텝 계산량의 ${share}가 듭니다. 스텝 수를 늘리거나 더 가벼운 quality를 고르세요`,
    taken_for_turbo: ({ least }) =>
      `스텝이 적어 turbo 모델로 보았습니다. 아니라면 ${least} 이상으로 하세요`,
    shift_is_bounded: ({ shift, most }) =>
      `MODEL의 shift ${shift}를 플랜이 다루는 최댓값 ${most}로 보았습니다`,
    takes_share: ({ part, whole }) =>
      `latent에 다른 샘플러가 남긴 노이즈가 있어, ${whole}스텝 가운데 ${part}스텝을 맡았습니다`,
    replaces: ({ sampler }) => `${sampler} 대신 RALU의 2차 스텝을 썼습니다`,
    others_steps: ({ sampler }) =>
      `${sampler}의 스텝으로 실행했습니다. 플랜은 2차 스텝용입니다. 그러려면 ComfyUI의 euler를 고르세요`,
    schedule_is_plan: ({ quality }) => `연결된 schedule이 플랜이 되어 ${quality}은(는) 작용하지 않습니다`,
    left_out: ({ inputs }) => `이 플랜에는 먼저 세밀해지는 영역이 없어 ${inputs}은(는) 작용하지 않습니다`,
    read_in_full: "절반 크기의 단계가 없어 참조 이미지를 모두 그대로 읽었습니다",
    areas_see_all: "영역 프롬프트는 여기서 이미지 전체를 봅니다. 비교에는 들어가지 않습니다",
  },
};
