/**
 * 512 short English words: nine bits each. All are common enough to be one token, behind a space, in the usual
 * tokenizers; what they really come to is measured by /tokenize (see calibration.ts).
 */
export const WORDS: readonly string[] = `
able about act add again age air all along also and apple are arm art ask at back bag band bank base be bear
bed been began begin bell below better big bird black block blue board body bone born both bow box branch
break bridge bring broad brown build burn bus but buy call camp can car card carry case catch caught cell
center chair change charge check chief choose church city claim clean climb clock cloth cloud coat cold column
come cook cool corn cost cotton count course cow cross cry cut danger dark deal decide deep depend desert did
direct doctor does dollar done double draw dream drink drive dry duck each ear earth ease eat effect egg
either else energy engine enough enter even ever every except excite face fact fall family far farm father
fear feed feet fell few field figure fill find fine finish first fish five flat flow flower follow food for
force form four free friend from fruit full game garden gather gave girl glad glass gold gone got grand gray
great grew ground grow guide had half hall happen happy has hat he hear heard heat heavy help her high hill
his hit hole hope horse hour house huge human ice idea in inch island job join jump just kept key king knew
lady lake large late laugh lay lead least leave left leg less let level life lift like line listen little log
long lost lot love made main make man map mark master match may mean meant meet men method middle mile milk
mine minute mix moment money moon more mother motion mouth move music must name nature near need never next
night no noise nose note now object ocean off offer often oil on once only open order our out own page paint
pair park part pass past pay person phone place plain plane plant please plural poor pose post power press
print prove pure push quart quick quite radio rail raise ran rather reach ready real record red reply result
rich right ring river road roll room rope rose row run safe sail salt sand sat saw say school score search
seat second seed seem select self send sense serve set shall share sharp sheet ship shop shore should show
sign silver simple sing single sit six skill skin sleep small smile so soft some son soon sort south space
speed spell spoke spread spring stand star state stay steel step still stone stop story stream string strong
such sugar summer sun sure swim tail talk tall team tell term test thank that their them there they thick
thing think this those three time to told tone took tool total touch town track train travel trip try tube
twenty two under unit up upon use usual value very view voice vowel walk wall war warm watch water way wear
week well went west what when where while white whole why wide wild will wind window winter wire with woman
wood work world write wrong yard year yes yet young
`
  .trim()
  .split(/\s+/);
